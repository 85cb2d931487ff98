//! The guarantee matrix as one page of HTML: it works from a file, with no network.

use std::collections::BTreeMap;

use serde_json::json;

use crate::catalogue::Catalogue;
use crate::engine::columns::{BrokenCell, Fault};
use crate::engine::trace::VERSION;

use super::matrix::{Cell, Row};
use super::svg;

const PAGE: &str = include_str!("page.html");

/// Traces of more steps are told and not drawn.
const DRAWN_MAX: usize = 120;

/// The page, with the trace behind each broken cell drawn.
pub fn page(catalogue: &Catalogue, rows: &[Row]) -> String {
    let (mut drawings, mut known) = (Vec::new(), BTreeMap::new());
    let mut lines = Vec::with_capacity(rows.len());
    for row in rows {
        let mut cells = Vec::with_capacity(row.cells.len());
        for (_, cell) in &row.cells {
            let mut shown = serde_json::to_value(cell).expect("a cell is plain data");
            if let Cell::Broken(broken) = cell {
                let drawn = known.entry((&row.scenario, &broken.trace)).or_insert_with(|| {
                    drawings.push(draw(catalogue, &row.scenario, broken).unwrap_or_default());
                    drawings.len() - 1
                });
                shown["drawing"] = json!(drawn);
            }
            cells.push(shown);
        }
        lines.push(json!({
            "scenario": row.scenario, "about": row.about, "breaks": row.breaks,
            "regression": row.regression, "cells": cells,
        }));
    }
    let faults = Fault::ALL.map(Fault::name);
    let data = json!({
        "version": VERSION, "faults": faults, "rows": lines, "drawings": drawings,
    });
    // Within a script element only `</` could end it.
    PAGE.replacen("DATA", &data.to_string().replace("</", "<\\/"), 1)
}

/// The drawing of a broken cell's trace, if a person could follow it.
fn draw(catalogue: &Catalogue, name: &str, broken: &BrokenCell) -> Option<String> {
    if broken.trace.len() > DRAWN_MAX {
        return None;
    }
    let told = catalogue.get(name)?.replay(&broken.file(name)).ok()?;
    Some(svg::draw(&told.diagram?, svg::Scale::Step))
}
