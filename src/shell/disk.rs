//! A node's disk, as two files that take turns.
//!
//! A save writes the whole disk to the file that does not hold the last synced save, so that a
//! crash in the middle of a save leaves that one alone; only after a sync do the files swap. A
//! record carries a number and a digest of its bytes: at boot the whole record with the highest
//! number counts.

use std::hash::Hasher;
use std::io;
use std::path::{Path, PathBuf};

use madsim::fs::{self, File};
use serde::{Serialize, de::DeserializeOwned};

use super::wire::{decode, encode};
use crate::world::Digest;

/// A node's files.
pub(super) struct Disk {
    files: [PathBuf; 2],
    /// Which file the next save goes to.
    next: usize,
    number: u64,
    /// The save that is not synced yet.
    written: Option<File>,
}

impl Disk {
    /// Opens a disk and reads what was saved last; the default value if nothing was.
    pub(super) async fn open<D>(dir: &Path, name: &str) -> io::Result<(Disk, D)>
    where
        D: Default + DeserializeOwned,
    {
        let files = ["even", "odd"].map(|turn| dir.join(format!("{name}.{turn}")));
        let mut found = [None, None];
        let mut there = 0;
        for (file, found) in files.iter().zip(&mut found) {
            match fs::read(file).await {
                Ok(bytes) => {
                    there += 1;
                    *found = whole::<D>(&bytes);
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        let [even, odd] = found.map(|found| found.map_or((0, None), |(n, disk)| (n, Some(disk))));
        let (last, (number, disk)) = if even.0 > odd.0 { (0, even) } else { (1, odd) };
        if disk.is_none() && there == 2 {
            let reason = format!("{} and its twin are both damaged", files[0].display());
            return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
        }
        if disk.is_some() {
            // The crash may have come before the sync, and the next save takes the other file.
            File::open(&files[last]).await?.sync_all().await?;
        }
        let files = Disk { files, next: 1 - last, number, written: None };
        Ok((files, disk.unwrap_or_default()))
    }

    /// Writes the disk; it survives a crash for certain once it is synced.
    pub(super) async fn save(&mut self, disk: &impl Serialize) -> io::Result<()> {
        self.number += 1;
        let bytes = encode(disk);
        let record = encode(&(self.number, digest(self.number, &bytes), bytes));
        let mut file = File::create(&self.files[self.next]).await?;
        write(&mut file, &record).await?;
        self.written = Some(file);
        Ok(())
    }

    /// Makes the last save durable.
    pub(super) async fn sync(&mut self) -> io::Result<()> {
        if let Some(file) = self.written.take() {
            file.sync_all().await?;
            self.next = 1 - self.next;
        }
        Ok(())
    }
}

/// Writes a file and waits until the operating system has the bytes: to set the length does.
async fn write(file: &mut File, record: &[u8]) -> io::Result<()> {
    file.write_all_at(record, 0).await?;
    file.set_len(record.len() as u64).await
}

/// The record that a file holds, if it is whole.
fn whole<D: DeserializeOwned>(bytes: &[u8]) -> Option<(u64, D)> {
    let (number, expected, disk) = decode::<(u64, u64, Vec<u8>)>(bytes)?;
    if digest(number, &disk) != expected {
        return None;
    }
    Some((number, decode(&disk)?))
}

fn digest(number: u64, bytes: &[u8]) -> u64 {
    let mut digest = Digest::default();
    digest.write_u64(number);
    digest.write(bytes);
    digest.finish()
}
