//! The binary `everbeat`: see [`everbeat_tokio::cli`].

fn main() -> std::process::ExitCode {
    everbeat_tokio::cli::main()
}
