//! A proxy that passes everything on and counts it.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use super::lock;
use super::wire::Request;

/// A proxy on a port of its own, until it is dropped.
pub(crate) struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    log: Mutex<Vec<Request>>,
    closing: AtomicBool,
}

impl Proxy {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("a bound socket");
        let shared = Arc::<Shared>::default();
        let theirs = Arc::clone(&shared);
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                if theirs.closing.load(Ordering::Acquire) {
                    return;
                }
                let shared = Arc::clone(&theirs);
                thread::spawn(move || shared.serve(connection));
            }
        });
        Self { address, shared }
    }

    /// Its address, as the environment has it.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its address, with a user's name and password.
    pub(crate) fn url_as(&self, user: &str) -> String {
        format!("http://{user}@{}", self.address)
    }

    /// What was asked of it; `sent` is what went back, headers and all.
    pub(crate) fn requests(&self) -> Vec<Request> {
        lock(&self.shared.log).clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::Release);
        // The listener waits for somebody to come.
        drop(TcpStream::connect(self.address));
    }
}

impl Shared {
    /// Passes one request on, or all that goes through a tunnel.
    fn serve(&self, mut client: TcpStream) -> Option<()> {
        let request = Request::read(&mut client)?;
        let number = {
            let mut log = lock(&self.log);
            log.push(request.clone());
            log.len() - 1
        };
        let is_tunnel = request.method == "CONNECT";
        let (authority, path) = if is_tunnel { (request.path.as_str(), "") } else { absolute(&request.path)? };
        let mut target = TcpStream::connect(authority).ok()?;
        if is_tunnel {
            client.write_all(b"HTTP/1.1 200 Connection Established\r\n\r\n").ok()?;
        } else {
            target.write_all(onward(&request, path).as_bytes()).ok()?;
        }
        let (mut from, mut to) = (client.try_clone().ok()?, target.try_clone().ok()?);
        thread::spawn(move || {
            let _ = std::io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Write);
        });
        self.back(&mut target, &mut client, number)
    }

    /// Passes what comes back on, and counts it.
    fn back(&self, target: &mut TcpStream, client: &mut TcpStream, number: usize) -> Option<()> {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let count = target.read(&mut buffer).ok().filter(|count| *count > 0);
            let Some(count) = count else { return client.shutdown(Shutdown::Both).ok() };
            lock(&self.log)[number].sent += count as u64;
            client.write_all(&buffer[..count]).ok()?;
        }
    }
}

/// Takes `http://HOST:PORT/PATH` apart.
fn absolute(target: &str) -> Option<(&str, &str)> {
    let rest = target.strip_prefix("http://")?;
    Some(rest.split_at(rest.find('/').unwrap_or(rest.len())))
}

/// The request as the server gets it, for one answer only.
fn onward(request: &Request, path: &str) -> String {
    let mut lines = vec![format!("{} {path} HTTP/1.1", request.method), "connection: close".to_owned()];
    let for_the_server = |name: &str| !name.starts_with("proxy-") && name != "connection";
    let headers = request.headers.iter().filter(|(name, _)| for_the_server(name));
    lines.extend(headers.map(|(name, value)| format!("{name}: {value}")));
    lines.join("\r\n") + "\r\n\r\n"
}
