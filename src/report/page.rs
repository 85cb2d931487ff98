//! The guarantee matrix as one page of HTML: it works from a file, with no network.

use serde_json::json;

use crate::engine::columns::Fault;
use crate::engine::trace::VERSION;
use crate::world::Numbers;

use super::matrix::{Cell, Row};

const PAGE: &str = include_str!("page.html");

/// The page. `draw` draws a broken cell's trace: of a scenario, in a world with these numbers.
pub fn page(
    rows: &[Row],
    mut draw: impl FnMut(&str, &Numbers, &[String]) -> Option<String>,
) -> String {
    let mut drawings: Vec<String> = Vec::new();
    let mut lines = Vec::with_capacity(rows.len());
    for row in rows {
        let mut cells = Vec::with_capacity(row.cells.len());
        for (_, cell) in &row.cells {
            let mut shown = serde_json::to_value(cell).expect("a cell is plain data");
            if let Cell::Broken(broken) = cell {
                let drawing = draw(&row.scenario, &broken.numbers, &broken.trace);
                let drawing = drawing.unwrap_or_default();
                let known = drawings.iter().position(|known| *known == drawing);
                shown["drawing"] = json!(known.unwrap_or(drawings.len()));
                if known.is_none() {
                    drawings.push(drawing);
                }
            }
            cells.push(shown);
        }
        lines.push(json!({
            "scenario": row.scenario, "about": row.about, "breaks": row.breaks,
            "regression": row.regression, "cells": cells,
        }));
    }
    let faults = Fault::ALL.map(Fault::name);
    let data = json!({ "version": VERSION, "faults": faults, "rows": lines, "drawings": drawings });
    // Within a script element only `</` could end it.
    PAGE.replacen("DATA", &data.to_string().replace("</", "<\\/"), 1)
}
