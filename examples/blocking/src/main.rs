//! The binary `everbeat-blocking`: see [`everbeat_blocking`].

fn main() {
    everbeat_blocking::main();
}
