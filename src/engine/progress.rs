//! Progress of long commands on standard error: rate, elapsed, and what is left; and Ctrl-C, which
//! ends a search as *incomplete* rather than with a kill.

use std::sync::atomic::{AtomicBool, Ordering};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Makes Ctrl-C end a search in good order; a second one kills.
pub fn watch_for_interrupts() {
    let handler = || {
        if INTERRUPTED.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    };
    // Where a handler stands already, as in tests, it stays.
    let _ = ctrlc::set_handler(handler);
}

/// Whether Ctrl-C was pressed.
pub fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// Whether a search may go on: it was not interrupted, and used no more bytes than these.
///
/// # Errors
/// Why it may not.
pub fn within_budget(bytes_max: Option<u64>) -> Result<(), String> {
    match bytes_max {
        _ if interrupted() => Err("it was interrupted".to_owned()),
        Some(most) if crate::report::peak_bytes() > most => {
            Err(format!("it used more than {most} bytes"))
        }
        _ => Ok(()),
    }
}

/// A bar, or a spinner where the end is not known.
#[derive(Debug)]
pub struct Progress(ProgressBar);

impl Progress {
    /// Starts counting `what`, up to `total` if that is known.
    pub fn start(what: &str, total: Option<u64>, shown: bool) -> Self {
        let bar = match total {
            Some(total) => ProgressBar::new(total),
            None => ProgressBar::new_spinner(),
        };
        let target =
            if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        bar.set_draw_target(target);
        let template = match total {
            Some(_) => {
                format!("{{elapsed}} {{wide_bar}} {{pos}}/{{len}} {what} {{per_sec}}, {{eta}} left")
            }
            None => format!("{{elapsed}} {{pos}} {what} {{per_sec}}"),
        };
        bar.set_style(ProgressStyle::with_template(&template).expect("the template is constant"));
        Progress(bar)
    }

    /// How far it is.
    pub fn at(&self, count: u64) {
        self.0.set_position(count);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
