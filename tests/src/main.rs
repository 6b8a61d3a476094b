//! The program `everbeat`, built where the end-to-end tests can find it.

fn main() -> std::process::ExitCode {
    everbeat_tokio::cli::main()
}
