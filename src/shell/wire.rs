//! Values as bytes: for datagrams, and for a disk's file.
//!
//! The encoding is not JSON, since a message or a disk may hold a map whose keys are no strings.

use serde::{Serialize, de::DeserializeOwned};

/// A value as bytes.
pub(super) fn encode(value: &impl Serialize) -> Vec<u8> {
    bincode::serialize(value).expect("messages and disks are plain values")
}

/// The value that these bytes are; `None` if they are none, or only the first part of one.
pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    bincode::deserialize(bytes).ok()
}
