//! `seedbed export`: a trace as a drawing, or for other tools.

use std::path::Path;

use crate::catalogue::Catalogue;
use crate::engine::trace::TraceFile;
use crate::report::{replace_file, shiviz, svg, text};

use super::args::{Export, Form};
use super::{Bad, Status};

/// Writes a trace in another form.
pub fn export(catalogue: &Catalogue, options: &Export) -> Status {
    let file = TraceFile::read(&options.file)?;
    let scenario = super::of_trace(catalogue, &file, None)?;
    let drawn = || -> Result<_, Bad> {
        let told = scenario.replay(&file)?;
        Ok(told.diagram.expect("a replayed trace has a diagram"))
    };
    let written = match options.to {
        Form::Svg => svg::draw(&drawn()?, options.scale) + "\n",
        Form::Text => text::draw(&drawn()?),
        Form::Shiviz => shiviz::export(&drawn()?),
        Form::Itf => scenario.itf(&file)?,
    };
    match &options.out {
        Some(path) => write(path, &written)?,
        None => say!("{}", written.trim_end_matches('\n')),
    }
    Ok(0)
}

/// Replaces a file, at once or not at all.
pub fn write(path: &Path, text: &str) -> Result<(), Bad> {
    replace_file(path, text)
        .map_err(|error| Bad(format!("{} can't be written: {error}", path.display())))
}
