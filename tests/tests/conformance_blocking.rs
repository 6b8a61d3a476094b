//! The duties of a shell, shown for the example of a second shell.

everbeat_tests::conformance!(everbeat_tests::Shell::blocking());
