//! An OAuth server that nobody here wrote.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use controlplane::bound_command;
use controlplane::version::Binary;

use crate::plane::program;

/// How long it may take to start.
const START: Duration = Duration::from_secs(20);

/// The example server of `github.com/zitadel/oidc`; it stops when dropped.
#[derive(Debug)]
pub struct OidcServer {
    port: u16,
    process: Child,
}

impl OidcServer {
    /// The id and the secret of the client that it issues tokens to.
    pub const CLIENT: (&str, &str) = ("sid1", "verysecret");

    /// Builds it if need be, and starts it at a free port.
    #[must_use]
    pub fn start() -> Self {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|socket| socket.local_addr());
        let port = port.expect("a free port").port();
        let mut command =
            bound_command(program(Binary::OidcServer)).expect("the control plane's program is there");
        command
            .env("PORT", port.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let process = command.spawn().expect("it starts");
        let late = Instant::now() + START;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            assert!(Instant::now() < late, "the OAuth server does not listen at {port}");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { port, process }
    }

    /// Where it issues tokens.
    #[must_use]
    pub fn token_url(&self) -> String {
        format!("http://localhost:{}/oauth/token", self.port)
    }
}

impl Drop for OidcServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
