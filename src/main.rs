//! Parses the arguments, runs the command, prints the one error.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    synkronic::cli::main()
}
