//! The exchange on madsim's own endpoints, at its default latency of 1 to 10 milliseconds.
//!
//! A runtime lives on a thread of its own, as madsim's own test harness does it.

use std::net::SocketAddr;
use std::time::Duration;

use madsim::net::Endpoint;
use madsim::runtime::{Handle, Runtime};

use super::{Pace, REQUESTS};

const TAG: u64 = 1;

/// One run; returns how many messages arrived.
pub fn run(seed: u64, pace: Pace) -> u64 {
    let fresh = std::thread::spawn(move || {
        Runtime::with_seed_and_config(seed, madsim::Config::default()).block_on(exchange(pace))
    });
    let sum = fresh.join().expect("the exchange ends");
    assert_eq!(sum, super::sum_of_answers());
    2 * REQUESTS
}

async fn exchange(pace: Pace) -> u64 {
    let address = |n: u8| SocketAddr::from(([10, 0, 0, n], 1));
    let handle = Handle::current();
    for server in [address(1), address(2)] {
        handle.create_node().ip(server.ip()).build().spawn(answer(server));
    }
    let client = handle.create_node().ip(address(3).ip()).build();
    let asking = client.spawn(async move {
        let endpoint = Endpoint::bind(address(3)).await.expect("the address is free");
        // The servers bind first.
        madsim::time::sleep(Duration::from_millis(1)).await;
        let mut sum = 0;
        for request in 0..REQUESTS {
            let server = address(if request.is_multiple_of(2) { 1 } else { 2 });
            endpoint.send_to(server, TAG, &request.to_le_bytes()).await.expect("it is there");
            if pace == Pace::LockStep {
                sum += receive(&endpoint).await.0;
            }
        }
        if pace == Pace::Burst {
            for _ in 0..REQUESTS {
                sum += receive(&endpoint).await.0;
            }
        }
        sum
    });
    asking.await.expect("nobody kills it")
}

async fn answer(me: SocketAddr) {
    let endpoint = Endpoint::bind(me).await.expect("the address is free");
    loop {
        let (payload, from) = receive(&endpoint).await;
        endpoint.send_to(from, TAG, &(payload + 1).to_le_bytes()).await.expect("it is there");
    }
}

async fn receive(endpoint: &Endpoint) -> (u64, SocketAddr) {
    let mut bytes = [0; 8];
    let (_, from) = endpoint.recv_from(TAG, &mut bytes).await.expect("messages arrive");
    (u64::from_le_bytes(bytes), from)
}
