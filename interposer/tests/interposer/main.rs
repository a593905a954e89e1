//! The interposer between a client and a small server, with and without TLS.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test's helpers fail by panicking, as tests do"
)]

mod client;
mod faults;
mod passthrough;
mod server;
mod stops;
mod views;
mod watches;

use std::time::Duration;

use interposer::{Config, Interposer, Serve, Side, World};

use crate::client::Client;
use crate::server::Server;

/// A bound on every wait; reached only when a test fails.
const PATIENCE: Duration = Duration::from_secs(20);

const HOOKS: &str = "/apis/g.dev/v1/namespaces/a/webhookendpoints";
const ALL_HOOKS: &str = "/apis/g.dev/v1/webhookendpoints";

/// An interposer in front of a server that plays the API server.
struct Scene {
    server: Server,
    interposer: Interposer,
    world: World,
}

impl Scene {
    async fn http() -> Self {
        Self::of(Server::http().await, Serve::Http)
    }

    async fn https() -> Self {
        Self::of(Server::https().await, Serve::Https)
    }

    fn of(server: Server, serve: Serve) -> Self {
        let world = World::new();
        let interposer = interpose(&server, Side::Kubernetes, serve, &world);
        Self { server, interposer, world }
    }

    /// A client with connections of its own.
    fn client(&self) -> Client {
        Client::of(&self.interposer)
    }
}

fn interpose(server: &Server, side: Side, serve: Serve, world: &World) -> Interposer {
    Interposer::start(Config {
        side,
        upstream: server.url.parse().expect("a URL"),
        upstream_ca: server.ca_pem.clone(),
        serve,
        world: world.clone(),
    })
    .expect("the interposer starts")
}

/// Bounds a wait.
async fn soon<T>(wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, wait).await.expect("this takes too long")
}
