//! What stands in the authorization header.

use std::{error::Error, future::Future, path::PathBuf, time::Duration, time::SystemTime};

use futures_util::future::BoxFuture;
use http::HeaderValue;
use tokio::{sync::Mutex, time::Instant};
use tonic::Status;

/// A token of a provider. It prints without its secret.
pub struct Token {
    secret: String,
    life: Option<Duration>,
}

impl Token {
    /// A token that is kept until a call with it is refused.
    pub fn new(secret: impl Into<String>) -> Self {
        Self { secret: secret.into(), life: None }
    }

    /// Says for how long the token is good from now on. It is asked for again shortly before.
    #[must_use]
    pub fn expires_in(self, life: Duration) -> Self {
        Self { life: Some(life), ..self }
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token").field("life", &self.life).finish_non_exhaustive()
    }
}

pub(crate) type BoxError = Box<dyn Error + Send + Sync>;
pub(crate) type Provider = Box<dyn Fn() -> BoxFuture<'static, Result<Token, BoxError>> + Send + Sync>;

#[derive(Default)]
pub(crate) enum Source {
    #[default]
    None,
    Token(String),
    File(PathBuf),
    Provider(Provider),
}

impl Source {
    pub(crate) fn provider<F, R>(provider: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<Token, BoxError>> + Send + 'static,
    {
        Self::Provider(Box::new(move || Box::pin(provider())))
    }
}

pub(crate) struct Credential {
    source: Source,
    kept: Mutex<Option<Kept>>,
}

struct Kept {
    header: HeaderValue,
    /// When a provider is asked again.
    until: Option<Instant>,
    /// The time and the size of the file that was read.
    stamp: Option<(SystemTime, u64)>,
}

impl Credential {
    pub(crate) fn new(source: Source) -> Self {
        Self { source, kept: Mutex::default() }
    }

    /// The header's value. One that was refused is got anew, unless another call has done so.
    pub(crate) async fn header(&self, refused: Option<&HeaderValue>) -> Result<Option<HeaderValue>, Status> {
        let mut kept = self.kept.lock().await;
        let usable = kept.as_ref().filter(|kept| Some(&kept.header) != refused);
        let fresh = match &self.source {
            Source::None => return Ok(None),
            Source::Token(token) if usable.is_none() => Kept { header: bearer(token)?, until: None, stamp: None },
            Source::Provider(ask)
                if usable.is_none_or(|kept| kept.until.is_some_and(|until| Instant::now() >= until)) =>
            {
                let token = ask().await.map_err(|error| unusable(format!("token_provider: {error}")))?;
                let early = |life: Duration| life.saturating_sub((life / 10).min(Duration::from_secs(60)));
                let until = token.life.and_then(|life| Instant::now().checked_add(early(life)));
                Kept { header: bearer(&token.secret)?, until, stamp: None }
            }
            Source::File(path) => {
                let fault = |error| unusable(format!("token_file {}: {error}", path.display()));
                let meta = tokio::fs::metadata(path).await.map_err(fault)?;
                let stamp = meta.modified().ok().map(|time| (time, meta.len()));
                if let Some(kept) = usable.filter(|kept| stamp.is_some() && kept.stamp == stamp) {
                    return Ok(Some(kept.header.clone()));
                }
                let token = tokio::fs::read_to_string(path).await.map_err(fault)?;
                Kept { header: bearer(token.trim())?, until: None, stamp }
            }
            Source::Token(_) | Source::Provider(_) => return Ok(kept.as_ref().map(|kept| kept.header.clone())),
        };
        Ok(Some(kept.insert(fresh).header.clone()))
    }
}

/// The header's value for a token.
pub(crate) fn bearer(token: &str) -> Result<HeaderValue, Status> {
    let value = HeaderValue::try_from(format!("Bearer {token}")).ok().filter(|_| !token.is_empty());
    let mut value = value.ok_or_else(|| unusable("the token is empty, or has characters that no header can have"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn unusable(message: impl Into<String>) -> Status {
    Status::unauthenticated(message)
}
