//! A certificate that is made for the test, and the connection behind it.

use std::net::TcpStream;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A server's certificate, its key, and who vouches for it.
pub(super) struct Identity {
    config: Arc<ServerConfig>,
    ca_pem: String,
}

impl Identity {
    pub(super) fn for_names(names: &[&str]) -> Self {
        let mut authority = CertificateParams::new(Vec::new()).expect("no name at all");
        // Under one name, the server's own certificate would seem to vouch for itself.
        authority.distinguished_name.push(DnType::CommonName, "The tests' own authority");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer =
            CertifiedIssuer::self_signed(authority, KeyPair::generate().expect("a key")).expect("a certificate");
        let key = KeyPair::generate().expect("a key");
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let own = CertificateParams::new(names).expect("names and addresses").signed_by(&key, &issuer);
        let chain = vec![CertificateDer::from(own.expect("a certificate"))];
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .expect("a key that fits");
        Self { config: Arc::new(config), ca_pem: issuer.pem() }
    }

    pub(super) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }

    pub(super) fn ca_pem(&self) -> &str {
        &self.ca_pem
    }
}

/// The handshake happens with the first bytes.
pub(super) fn wrap(socket: TcpStream, config: Arc<ServerConfig>) -> StreamOwned<ServerConnection, TcpStream> {
    StreamOwned::new(ServerConnection::new(config).expect("a valid configuration"), socket)
}
