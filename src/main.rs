//! The command line over the built-in catalogue.

use std::process::ExitCode;

fn main() -> ExitCode {
    seedbed::cli::main(&seedbed::protocols::catalogue())
}
