//! The bundled connectors, embedded
//!
//! `build.rs` builds the crates under `connectors/` as components, packs them and writes the table below. The worker
//! unpacks and compiles one when it is first used. The manifest's format is documented in `connectors/sdk`
//! (`manifest.rs`).

/// One embedded component.
#[derive(Clone, Copy)]
pub struct Bundled {
    /// Name of the connector package, without `weir-`.
    pub name: &'static str,
    /// The component, zstd-compressed; it holds its manifest in the section `weir:manifest`.
    pub wasm_zstd: &'static [u8],
    /// The manifest.
    pub manifest_json: &'static str,
}

impl std::fmt::Debug for Bundled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bundled")
            .field("name", &self.name)
            .field("wasm_zstd_bytes", &self.wasm_zstd.len())
            .finish()
    }
}

static COMPONENTS: &[Bundled] = include!(concat!(env!("OUT_DIR"), "/components.rs"));

/// Gives all bundled components.
pub fn components() -> &'static [Bundled] {
    COMPONENTS
}
