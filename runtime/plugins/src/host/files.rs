//! `weir:connect/files`: exactly the file that a setting names, opened by the host
//!
//! The guest never sees a folder. `policy.rs` decides on the name, `open_file.rs` does the work on blocking threads; here
//! the answers are put into the interface's words. One call moves up to the frame limit, so a source needs one a batch.

use wasmtime::component::Resource;

use crate::bindings::weir::connect::files::{FileIdentity, FileKind, FilesError, Host, HostFile, OpenMode};
use crate::host::open_file::{self, FileFailure, Identity, Kind, OpenFile};
use crate::host::state::HostState;
use crate::policy::FileAccess;

fn access(mode: OpenMode) -> FileAccess {
    match mode {
        OpenMode::Read => FileAccess::Read,
        OpenMode::Append => FileAccess::Append,
    }
}

fn error(failure: FileFailure) -> FilesError {
    match failure {
        FileFailure::Denied(text) => FilesError::Denied(text),
        FileFailure::NotFound(text) => FilesError::NotFound(text),
        FileFailure::Forbidden(text) => FilesError::Forbidden(text),
        FileFailure::IsDirectory(text) => FilesError::IsDirectory(text),
        FileFailure::NoSpace(text) => FilesError::NoSpace(text),
        FileFailure::Stopped(text) => FilesError::Stopped(text),
        FileFailure::Other(text) => FilesError::Other(text),
    }
}

fn identity(identity: Identity) -> FileIdentity {
    FileIdentity {
        device: identity.device,
        inode: identity.inode,
        kind: match identity.kind {
            Kind::Regular => FileKind::Regular,
            Kind::Stream => FileKind::Stream,
        },
    }
}

impl Host for HostState {
    async fn open(
        &mut self,
        setting: String,
        mode: OpenMode,
    ) -> wasmtime::Result<Result<Resource<OpenFile>, FilesError>> {
        let access = access(mode);
        let opened = match self.policy.file(&setting, access) {
            Ok(allowed) => open_file::open(allowed, access, self.context.stop.clone()).await,
            Err(reason) => Err(FileFailure::Denied(reason)),
        };
        self.enter_host();
        match opened {
            Ok(file) => Ok(Ok(self.table.push(file)?)),
            Err(failure) => Ok(Err(error(failure))),
        }
    }

    async fn identity_now(&mut self, setting: String) -> wasmtime::Result<Result<FileIdentity, FilesError>> {
        let found = match self
            .policy
            .file(&setting, FileAccess::Read)
            .or_else(|_| self.policy.file(&setting, FileAccess::Append))
        {
            Ok(allowed) => open_file::identity_of(allowed).await,
            Err(reason) => Err(FileFailure::Denied(reason)),
        };
        self.enter_host();
        Ok(found.map(identity).map_err(error))
    }
}

impl HostFile for HostState {
    async fn read_at(
        &mut self,
        file: Resource<OpenFile>,
        offset: u64,
        max: u32,
    ) -> wasmtime::Result<Result<Vec<u8>, FilesError>> {
        let max = usize::try_from(max).unwrap_or(usize::MAX).min(self.max_read_bytes);
        let read = self.table.get_mut(&file)?.read_at(offset, max).await;
        self.enter_host();
        Ok(read.map_err(error))
    }

    async fn append(&mut self, file: Resource<OpenFile>, bytes: Vec<u8>) -> wasmtime::Result<Result<(), FilesError>> {
        let written = self.table.get_mut(&file)?.append(bytes).await;
        self.enter_host();
        Ok(written.map_err(error))
    }

    async fn sync(&mut self, file: Resource<OpenFile>) -> wasmtime::Result<Result<(), FilesError>> {
        let synced = self.table.get_mut(&file)?.sync().await;
        self.enter_host();
        Ok(synced.map_err(error))
    }

    async fn size(&mut self, file: Resource<OpenFile>) -> wasmtime::Result<Result<u64, FilesError>> {
        let size = self.table.get_mut(&file)?.size();
        self.enter_host();
        Ok(size.map_err(error))
    }

    async fn identity(&mut self, file: Resource<OpenFile>) -> wasmtime::Result<Result<FileIdentity, FilesError>> {
        let found = self.table.get(&file)?.identity();
        self.enter_host();
        Ok(Ok(identity(found)))
    }

    async fn drop(&mut self, file: Resource<OpenFile>) -> wasmtime::Result<()> {
        self.enter_host();
        self.table.delete(file)?;
        Ok(())
    }
}
