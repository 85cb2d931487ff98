//! The exchange on turmoil's datagrams, at a latency of 1 to 10 milliseconds.

use std::cell::Cell;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use turmoil::net::UdpSocket;

use super::{Pace, REQUESTS};

const PORT: u16 = 1;

/// One run; returns how many messages arrived.
pub fn run(seed: u64, pace: Pace) -> u64 {
    let mut sim = turmoil::Builder::new()
        .min_message_latency(Duration::from_millis(1))
        .max_message_latency(Duration::from_millis(10))
        .udp_capacity(100_000)
        .simulation_duration(Duration::from_secs(1_000_000))
        .rng_seed(seed)
        .build();
    for server in ["n1", "n2"] {
        sim.host(server, answer);
    }
    let sum = Rc::new(Cell::new(0));
    let result = Rc::clone(&sum);
    sim.client("n0", async move {
        result.set(ask(pace).await?);
        Ok(())
    });
    sim.run().expect("the exchange ends");
    assert_eq!(sum.get(), super::sum_of_answers());
    2 * REQUESTS
}

async fn ask(pace: Pace) -> std::io::Result<u64> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, PORT)).await?;
    let mut sum = 0;
    for request in 0..REQUESTS {
        let server = if request.is_multiple_of(2) { "n1" } else { "n2" };
        socket.send_to(&request.to_le_bytes(), (server, PORT)).await?;
        if pace == Pace::LockStep {
            sum += receive(&socket).await?.0;
        }
    }
    if pace == Pace::Burst {
        for _ in 0..REQUESTS {
            sum += receive(&socket).await?.0;
        }
    }
    Ok(sum)
}

async fn answer() -> turmoil::Result {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, PORT)).await?;
    loop {
        let (payload, from) = receive(&socket).await?;
        socket.send_to(&(payload + 1).to_le_bytes(), from).await?;
    }
}

async fn receive(socket: &UdpSocket) -> std::io::Result<(u64, SocketAddr)> {
    let mut bytes = [0; 8];
    let (_, from) = socket.recv_from(&mut bytes).await?;
    Ok((u64::from_le_bytes(bytes), from))
}
