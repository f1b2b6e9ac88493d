//! The messages and services of `proto/`, as `tonic-prost-build` generates them. They are kept here,
//! so that building the example takes no compiler of protobuf.

use tonic_reflection::server::Error;
use tonic_reflection::server::v1::{ServerReflection, ServerReflectionServer};

/// `orders.v1`: what this service offers.
#[expect(
    unreachable_pub,
    clippy::allow_attributes_without_reason,
    reason = "generated"
)]
pub(crate) mod orders {
    include!("pb/orders.v1.rs");
}

/// `inventory.v1`: what it asks.
#[expect(
    unreachable_pub,
    clippy::allow_attributes_without_reason,
    reason = "generated"
)]
pub(crate) mod inventory {
    include!("pb/inventory.v1.rs");
}

/// Says what the service offers, for grpcurl and `shakedown check`.
pub(crate) fn reflection() -> Result<ServerReflectionServer<impl ServerReflection>, Error> {
    tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(include_bytes!("pb/orders.v1.bin"))
        .build_v1()
}
