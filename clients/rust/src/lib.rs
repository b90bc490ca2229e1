#![doc = include_str!("../README.md")]

mod connect;
mod credential;
mod error;
mod inventories;
mod leases;
mod lists;
mod service;
#[cfg(test)]
mod tests;

/// Everything that is generated from the schema, in modules like its packages.
#[allow(missing_docs, clippy::all, clippy::pedantic, rustdoc::all)]
#[rustfmt::skip]
#[path = "gen/mod.rs"]
pub mod proto;

/// Pages of inventories that have more than one kind of item.
#[allow(clippy::all, clippy::pedantic)]
#[rustfmt::skip]
#[path = "gen/pages.rs"]
pub mod pages;

#[allow(clippy::all, clippy::pedantic)]
#[rustfmt::skip]
#[path = "gen/table.rs"]
mod table;

pub use connect::{Builder, Gateway};
pub use credential::Token;
pub use error::{Details, Error, ErrorKind, Incomplete};
pub use inventories::{Inventoried, Inventory};
pub use leases::{Key, Lease, LeaseBuilder};
pub use lists::{List, Paged};
pub use proto::admingateway::{
    admin::v1 as admin, control::v1 as control, inventory::v1 as inventory, lease::v1 as lease,
};
pub use proto::google::rpc;
pub use service::{Freshness, NoIdempotencyKey, Service};
pub use {futures_util::TryStreamExt, prost, prost_types, tonic};

/// The size of the largest message that is received: 64 MiB.
pub const MESSAGE_LIMIT: usize = 64 << 20;

/// The schema as a `google.protobuf.FileDescriptorSet`, for reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!("gen/descriptors.binpb");
