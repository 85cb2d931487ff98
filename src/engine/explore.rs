//! The explorer: stateright's own page, over a world.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use stateright::Model;

use crate::protocol::Checkable;
use crate::world::Setup;

use super::check::WorldModel;

/// Why the explorer can't start.
#[derive(Debug, thiserror::Error)]
#[error("{address} can't be used: {reason}")]
pub struct Unbindable {
    /// The address.
    pub address: SocketAddr,
    /// Why.
    pub reason: std::io::Error,
}

/// Says whether an address is free: stateright itself would panic.
///
/// # Errors
/// If it is in use, or not ours.
pub fn probe(address: SocketAddr) -> Result<(), Unbindable> {
    TcpListener::bind(address).map(drop).map_err(|reason| Unbindable { address, reason })
}

/// Serves the explorer until the process ends.
///
/// # Errors
/// If the address is in use.
pub fn explore<P: Checkable>(setup: &Arc<Setup<P>>, address: SocketAddr) -> Result<(), Unbindable> {
    probe(address)?;
    // It returns only when its server stops.
    WorldModel::for_explorer(setup).checker().serve(address);
    Ok(())
}
