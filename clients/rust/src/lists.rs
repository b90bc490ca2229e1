//! Lists, which are whole or an error.

use crate::error::{Error, ErrorKind, Result};
use crate::service::Service;
use futures_util::{StreamExt, TryStreamExt, future::BoxFuture, stream, stream::BoxStream};
use std::{collections::HashSet, hash::BuildHasher, hash::RandomState, mem, time::Duration};
use tonic::{Code, Request, Status, metadata::MetadataMap};

/// A request for a page of a list. Every such request of the schema is one.
pub trait Paged: Clone + Send + Sync + Unpin + 'static {
    /// What the list has.
    type Item: Send + 'static;
    #[doc(hidden)]
    const RESPONSE: &'static str;
    #[doc(hidden)]
    fn backwards(&self) -> bool;
    #[doc(hidden)]
    fn cursor(&self) -> String;
    #[doc(hidden)]
    fn set_cursor(&mut self, cursor: String);
    #[doc(hidden)]
    fn page(service: Service, request: Request<Self>) -> BoxFuture<'static, Result<Page<Self::Item>, Status>>;
}

/// A page, as all styles of lists have it.
#[derive(Debug)]
#[doc(hidden)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub more: bool,
    pub next: String,
    /// `next` is set only while there are more pages.
    pub only_more: bool,
}

/// A walk through a list. It starts where the request says, and asks for the rest of it likewise.
#[must_use]
pub struct List<R> {
    service: Service,
    request: R,
    max_pages: usize,
    metadata: MetadataMap,
    timeout: Option<Duration>,
}

impl<R: Paged> List<R> {
    pub(crate) fn new(service: Service, request: R) -> Self {
        Self { service, request, max_pages: 10_000, metadata: MetadataMap::new(), timeout: None }
    }

    /// The longest walk, in pages: 10,000 unless set.
    pub fn max_pages(mut self, pages: usize) -> Self {
        self.max_pages = pages;
        self
    }

    /// What each call sends besides, such as `cache-control`.
    pub fn metadata(mut self, metadata: MetadataMap) -> Self {
        self.metadata = metadata;
        self
    }

    /// The time for each page, with all attempts.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The items, in the order of the server. An error ends them.
    ///
    /// It is that of the call, or [`ErrorKind::EndlessList`] where the pages lead nowhere, or
    /// [`ErrorKind::InvalidConfig`] where the request has `before`: a walk goes forward.
    #[must_use]
    pub fn items(self) -> BoxStream<'static, Result<R::Item>> {
        if self.request.backwards() {
            let error = Error::config("before", "it is set, and a walk goes forward");
            return stream::iter([Err(error)]).boxed();
        }
        let asked = self.request.cursor();
        let mut walk = Walk { list: self, asked, pages: 0, seen: HashSet::new(), keys: Default::default() };
        walk.is_new(&walk.asked.clone());
        let pages = stream::try_unfold(Some(walk), |walk| async move {
            let Some(mut walk) = walk else { return Ok::<_, Error>(None) };
            let page = walk.page().await?;
            // The items ahead of an error come first.
            Ok(Some(match walk.follow(&page) {
                Ok(more) => ((page.items, None), more.then_some(walk)),
                Err(error) => ((page.items, Some(error)), None),
            }))
        });
        pages
            .map_ok(|(items, error)| stream::iter(items.into_iter().map(Ok).chain(error.map(Err))))
            .try_flatten()
            .boxed()
    }

    /// All items, or the error in place of a part.
    ///
    /// # Errors
    ///
    /// Those of [`List::items`].
    pub async fn collect(self) -> Result<Vec<R::Item>> {
        self.items().try_collect().await
    }
}

struct Walk<R> {
    list: List<R>,
    asked: String,
    pages: usize,
    /// Digests of the cursors, because the server chooses their length.
    seen: HashSet<(u64, u64)>,
    keys: (RandomState, RandomState),
}

impl<R: Paged> Walk<R> {
    fn is_new(&mut self, cursor: &str) -> bool {
        self.seen.insert((self.keys.0.hash_one(cursor), self.keys.1.hash_one(cursor)))
    }

    async fn page(&mut self) -> Result<Page<R::Item>> {
        let mut message = self.list.request.clone();
        if !self.asked.is_empty() {
            message.set_cursor(self.asked.clone());
        }
        let mut request = Request::new(message);
        *request.metadata_mut() = self.list.metadata.clone();
        if let Some(timeout) = self.list.timeout {
            request.set_timeout(timeout);
        }
        Ok(R::page(self.list.service.clone(), request).await?)
    }

    /// Goes on to the next page, if there is one.
    fn follow(&mut self, page: &Page<R::Item>) -> Result<bool> {
        self.pages += 1;
        let next = page.next.clone();
        let asked = mem::replace(&mut self.asked, next.clone());
        let reason = match page.more {
            false if page.only_more && !next.is_empty() => "Contradiction",
            false => return Ok(false),
            true if page.items.is_empty() => "EmptyPage",
            true if next.is_empty() => "NoCursor",
            true if next == asked => "SameCursor",
            true if !self.is_new(&next) => "Cycle",
            true if self.pages >= self.list.max_pages.max(1) => "PageCap",
            true => return Ok(true),
        };
        let message = format!("{} does not end: {reason} (page {})", R::RESPONSE, self.pages);
        Err(Error::own(ErrorKind::EndlessList, Code::Unavailable, reason, message))
    }
}
