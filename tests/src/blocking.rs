//! The program `everbeat-blocking`, built where the end-to-end tests can find
//! it.

fn main() {
    everbeat_blocking::main();
}
