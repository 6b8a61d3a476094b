//! The duties of a shell, shown for `everbeat run`.

everbeat_tests::conformance!(everbeat_tests::Shell::tokio());
