//! A node's socket: datagrams to and from its peers.
//!
//! This file is the one place where madsim and tokio differ. madsim's own socket type outside a
//! simulation is no datagram socket but a web of connections that panics when a peer is down, so
//! there tokio's is taken, which names the arguments the other way round.

use std::io;
use std::net::SocketAddr;

#[cfg(madsim)]
use madsim::net::UdpSocket;
#[cfg(not(madsim))]
use tokio::net::UdpSocket;

use super::wire::{decode, encode};
use crate::protocol::NodeId;
use serde::{Serialize, de::DeserializeOwned};

/// The longest datagram that UDP carries over IPv4.
const LONGEST: usize = 65_507;

/// A bound socket.
pub(super) struct Socket {
    udp: UdpSocket,
    me: NodeId,
    peers: Vec<SocketAddr>,
}

impl Socket {
    /// Binds a node's own address.
    pub(super) async fn bind(me: NodeId, peers: &[SocketAddr]) -> io::Result<Socket> {
        let udp = UdpSocket::bind(peers[me.index()]).await?;
        Ok(Socket { udp, me, peers: peers.to_vec() })
    }

    /// Sends a message, with its number on the link. What the network makes of it is not known: it
    /// may be lost, and so an error of the network is no error here.
    pub(super) async fn send(&self, to: NodeId, number: u64, msg: &impl Serialize) {
        let datagram = encode(&(self.me, number, msg));
        assert!(datagram.len() <= LONGEST, "a message of {} bytes is no datagram", datagram.len());
        let to = self.peers[to.index()];
        #[cfg(madsim)]
        let _ = self.udp.send_to(to, &datagram).await;
        #[cfg(not(madsim))]
        let _ = self.udp.send_to(&datagram, to).await;
    }

    /// Waits for the next message, and says whose it is and its number. A datagram that is no
    /// message of a peer is dropped.
    pub(super) async fn receive<M: DeserializeOwned>(&self) -> (NodeId, u64, M) {
        let mut buffer = vec![0; LONGEST];
        loop {
            let Ok((length, sender)) = self.udp.recv_from(&mut buffer).await else { continue };
            let Some((from, number, msg)) = decode::<(NodeId, u64, M)>(&buffer[..length]) else {
                continue;
            };
            if self.peers.get(from.index()) == Some(&sender) {
                return (from, number, msg);
            }
        }
    }
}
