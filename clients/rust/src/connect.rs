//! The connection to a gateway.

use crate::credential::{BoxError, Credential, Source, Token, bearer};
use crate::error::{Error, Result};
use crate::service::{Service, Settings};
use crate::{Inventoried, Inventory, LeaseBuilder, List, Paged};
use std::{fmt, fs, future::Future, net::IpAddr, path::Path, path::PathBuf, time::Duration};
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};

/// How to reach a gateway, and who calls. [`Gateway::builder`] makes one.
#[must_use]
pub struct Builder {
    address: String,
    source: Source,
    plaintext: bool,
    ca: Option<String>,
    certificate: Option<(PathBuf, PathBuf)>,
    deadline: Duration,
    user_agent: String,
    attempts: u32,
    idempotency_keys: bool,
}

impl Builder {
    /// A caller's token.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.source = Source::Token(token.into());
        self
    }

    /// A file with a token. It is read again when it changes, and when the token is refused.
    pub fn token_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.source = Source::File(path.into());
        self
    }

    /// A function that gets a token, such as a JWT. It is asked again shortly before the token
    /// expires, and when a call is refused, which is repeated once then.
    pub fn token_provider<F, R>(mut self, provider: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<Token, BoxError>> + Send + 'static,
    {
        self.source = Source::provider(provider);
        self
    }

    /// PEM files with a client certificate and its key. A token may come with it.
    pub fn client_certificate(mut self, cert: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.certificate = Some((cert.into(), key.into()));
        self
    }

    /// The certificates to trust in place of the system's: the path of a PEM file, or PEM itself.
    pub fn ca(mut self, ca: impl Into<String>) -> Self {
        self.ca = Some(ca.into());
        self
    }

    /// Allows `http://` to hosts other than this one. Whoever is in between sees the token.
    pub fn plaintext(mut self) -> Self {
        self.plaintext = true;
        self
    }

    /// The time for a call with a single answer that sets none itself, with all its attempts: 30 s
    /// unless set. A call's own is that of [`tonic::Request::set_timeout`].
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// How often a call that can be repeated is made at most: 5 times unless set.
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// Whether writes get an idempotency key where they have none. They do unless set.
    pub fn idempotency_keys(mut self, given: bool) -> Self {
        self.idempotency_keys = given;
        self
    }

    /// The application, such as `billing/2.1`. It stands ahead of this crate in the user agent.
    pub fn user_agent(mut self, application: impl Into<String>) -> Self {
        self.user_agent = application.into();
        self
    }

    /// Returns the gateway. It opens no connection: the first call does. Call it within a tokio
    /// runtime.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidConfig`](crate::ErrorKind::InvalidConfig), whose field violation names
    /// the argument.
    pub fn connect(self) -> Result<Gateway> {
        let fault = |fault: &str| Error::config("address", fault);
        let uri: http::Uri = self.address.parse().map_err(|_| fault("it is not https://host[:port]"))?;
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(|| fault("it has no host"))?;
        let rest = uri.path_and_query().map_or("/", |rest| rest.as_str());
        if rest != "/" || uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(fault("it has more than a host and a port"));
        }
        let tls = match uri.scheme_str() {
            Some("https") => Some(self.tls()?.domain_name(host.trim_matches(['[', ']']))),
            Some("http") if !self.plaintext && !is_loopback(host) => {
                return Err(fault("http:// sends the token in clear text: use https://, or allow it with plaintext()"));
            }
            Some("http") if self.ca.is_some() => return Err(Error::config("ca", "http:// has no certificates")),
            Some("http") if self.certificate.is_some() => {
                return Err(Error::config("cert", "http:// has no certificates"));
            }
            Some("http") => None,
            _ => return Err(fault("it does not begin with https://")),
        };
        if self.attempts == 0 {
            return Err(Error::config("attempts", "it is below 1"));
        }
        if self.deadline.is_zero() {
            return Err(Error::config("deadline", "it is 0"));
        }
        if let Source::Token(token) = &self.source {
            bearer(token).map_err(|status| Error::config("token", status.message()))?;
        }
        if tokio::runtime::Handle::try_current().is_err() {
            return Err(fault("connect() is called outside of a tokio runtime"));
        }
        let agent = format!("{} admin-gateway-rust/{}", self.user_agent, env!("CARGO_PKG_VERSION"));
        let mut endpoint = Endpoint::from(uri)
            .user_agent(agent.trim_start())
            .map_err(|_| Error::config("user_agent", "it has characters that no header can have"))?
            .connect_timeout(Duration::from_secs(10))
            .http2_keep_alive_interval(Duration::from_secs(60))
            .http2_max_header_list_size(1 << 20);
        if let Some(tls) = tls {
            let named = if self.certificate.is_some() { "cert" } else { "ca" };
            endpoint = endpoint.tls_config(tls).map_err(|error| Error::config(named, chain(&error)))?;
        }
        let settings = Settings { deadline: self.deadline, attempts: self.attempts, keys: self.idempotency_keys };
        Ok(Gateway { service: Service::new(endpoint.connect_lazy(), Credential::new(self.source), settings) })
    }

    fn tls(&self) -> Result<ClientTlsConfig> {
        let read = |argument, path: &Path| {
            fs::read_to_string(path).map_err(|e| Error::config(argument, format!("{}: {e}", path.display())))
        };
        let mut tls = ClientTlsConfig::new().timeout(Duration::from_secs(10));
        if let Some(ca) = &self.ca {
            let pem = if ca.contains("-----BEGIN") { ca.clone() } else { read("ca", ca.as_ref())? };
            if !pem.contains("-----BEGIN CERTIFICATE-----") {
                return Err(Error::config("ca", "it has no certificate in PEM"));
            }
            tls = tls.ca_certificate(Certificate::from_pem(pem));
        } else {
            tls = tls.with_native_roots();
        }
        if let Some((cert, key)) = &self.certificate {
            tls = tls.identity(Identity::from_pem(read("cert", cert)?, read("key", key)?));
        }
        Ok(tls)
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").finish_non_exhaustive()
    }
}

fn is_loopback(host: &str) -> bool {
    let ip = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
}

/// An error with its causes, on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.ends_with(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

/// A gateway. Clones share its connection, which closes when the last of them is dropped.
#[derive(Clone, Debug)]
pub struct Gateway {
    service: Service,
}

impl Gateway {
    /// Begins with the address: `https://host[:port]`, or `http://` for this host.
    pub fn builder(address: impl Into<String>) -> Builder {
        Builder {
            address: address.into(),
            source: Source::None,
            plaintext: false,
            ca: None,
            certificate: None,
            deadline: Duration::from_secs(30),
            user_agent: String::new(),
            attempts: 5,
            idempotency_keys: true,
        }
    }

    #[cfg(test)]
    pub(crate) fn of(service: Service) -> Self {
        Self { service }
    }

    /// The transport that every generated client takes: `ProjectServiceClient::new(gateway.service())`.
    #[must_use]
    pub fn service(&self) -> Service {
        self.service.clone()
    }

    /// Walks a list to its end. The type of the request says which.
    pub fn list<R: Paged>(&self, request: R) -> List<R> {
        List::new(self.service(), request)
    }

    /// Streams an inventory. The type of the request says which.
    pub fn inventory<R: Inventoried>(&self, request: R) -> Inventory<R> {
        Inventory::new(self.service(), request)
    }

    /// Asks for a lease of a role.
    pub fn lease(&self, role: impl Into<String>) -> LeaseBuilder {
        LeaseBuilder::new(self.service(), role.into())
    }
}
