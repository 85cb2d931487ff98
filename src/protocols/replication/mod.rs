//! Replicated objects.

pub mod abd;
