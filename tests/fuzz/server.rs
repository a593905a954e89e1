//! A server that sends what it is told, byte for byte.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// A server; each connection gets one answer.
pub struct Server {
    pub address: SocketAddr,
    answer: Arc<Mutex<Vec<u8>>>,
}

impl Server {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let answer = Arc::<Mutex<Vec<u8>>>::default();
        let answers = Arc::clone(&answer);
        // It ends with the process.
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                // Whoever asked may have gone.
                let _ = serve(connection, &answers.lock().unwrap().clone());
            }
        });
        Self { address, answer }
    }

    /// What is sent from now on.
    pub fn answers(&self, answer: Vec<u8>) {
        *self.answer.lock().unwrap() = answer;
    }
}

fn serve(mut connection: TcpStream, answer: &[u8]) -> std::io::Result<()> {
    connection.set_read_timeout(Some(Duration::from_secs(1)))?;
    let (mut asked, mut buffer) = (Vec::new(), [0; 4096]);
    while !is_complete(&asked) {
        let read = connection.read(&mut buffer)?;
        if read == 0 {
            return Ok(());
        }
        asked.extend_from_slice(&buffer[..read]);
    }
    connection.write_all(answer)
}

fn is_complete(asked: &[u8]) -> bool {
    let text = String::from_utf8_lossy(asked);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
    body.len() >= length.unwrap_or(0)
}
