//! Many seeds of large worlds.

#[cfg(not(madsim))]
compile_error!(
    "these tests run on madsim: build them with RUSTFLAGS=\"--cfg madsim\", which \
     .cargo/config.toml sets unless your environment has a RUSTFLAGS of its own"
);

mod sockets;
