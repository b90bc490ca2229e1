//! Generates the stubs from the schema's descriptor set: no protoc is needed.
use prost::Message;
use std::{env, error::Error, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-env-changed=SCHEMA");
    let descriptors = Path::new(&env::var("SCHEMA")?).join("descriptors.binpb");
    println!("cargo:rerun-if-changed={}", descriptors.display());
    let set = prost_types::FileDescriptorSet::decode(&*fs::read(descriptors)?)?;
    tonic_prost_build::configure()
        .build_server(false)
        .include_file("stubs.rs")
        .compile_fds(set)?;
    Ok(())
}
