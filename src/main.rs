//! `oma`, the command line of ohmyartifacts.

mod cli;

fn main() -> std::process::ExitCode {
    cli::run()
}
