//! The `controlplane` command: `run`, `build` and `which`.

fn main() -> std::process::ExitCode {
    controlplane::main()
}
