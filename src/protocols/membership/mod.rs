//! Protocols among nodes that tell each other what they have heard.

pub mod gossip;
