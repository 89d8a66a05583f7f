//! Files, links, roots, pipes and devices as a guest meets them

use std::time::Duration;

use super::*;

fn allowed(path: &Path) -> AllowedFile {
    AllowedFile::Path(AllowedPath {
        path: path.to_owned(),
        follows_link: true,
        roots: None,
    })
}

async fn open_at(path: &Path, access: FileAccess) -> Result<OpenFile, FileFailure> {
    open(allowed(path), access, StopSignal::new()).await
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().canonicalize().expect("exists");
    (folder, path)
}

fn make_fifo(path: &Path) {
    let made = std::process::Command::new("mkfifo").arg(path).status();
    assert!(made.expect("mkfifo runs").success());
}

#[tokio::test]
async fn a_file_is_appended_to_and_read_at_any_offset() {
    let (_folder, path) = folder();
    let path = path.join("f");
    let mut output = open_at(&path, FileAccess::Append).await.expect("creates");
    output.append(b"hello ".to_vec()).await.expect("writes");
    output.append(b"world".to_vec()).await.expect("writes");
    output.sync().await.expect("syncs");
    assert_eq!(output.size(), Ok(11));
    let mut input = open_at(&path, FileAccess::Read).await.expect("opens");
    assert_eq!(input.read_at(6, 100).await, Ok(b"world".to_vec()));
    assert_eq!(input.read_at(0, 5).await, Ok(b"hello".to_vec()));
    assert_eq!(input.read_at(11, 5).await, Ok(Vec::new()));
    assert_eq!(input.read_at(u64::MAX, 5).await, Ok(Vec::new()));
    let now = identity_of(allowed(&path)).await.expect("is there");
    assert_eq!(now, input.identity());
    fs::rename(&path, path.with_extension("old")).expect("rotates");
    fs::write(&path, b"new").expect("writes");
    assert_ne!(identity_of(allowed(&path)).await, Ok(input.identity()));
}

#[tokio::test]
async fn what_cannot_be_opened_says_why_and_names_the_path() {
    let (_folder, path) = folder();
    let missing = path.join("missing");
    let error = open_at(&missing, FileAccess::Read).await.expect_err("missing");
    assert!(
        matches!(&error, FileFailure::NotFound(text) if text.contains("missing")),
        "{error:?}"
    );
    let error = open_at(&missing.join("x"), FileAccess::Append)
        .await
        .expect_err("no folder");
    assert!(matches!(error, FileFailure::NotFound(_)), "{error:?}");
    for access in [FileAccess::Read, FileAccess::Append] {
        let error = open_at(&path, access).await.expect_err("a folder");
        assert!(matches!(error, FileFailure::IsDirectory(_)), "{error:?}");
    }
}

#[tokio::test]
async fn a_link_is_followed_only_where_a_setting_names_it() {
    let (_folder, path) = folder();
    let (target, link) = (path.join("target"), path.join("link"));
    fs::write(&target, b"x").expect("writes");
    std::os::unix::fs::symlink(&target, &link).expect("links");
    assert!(open_at(&link, FileAccess::Read).await.is_ok());
    let literal = AllowedFile::Path(AllowedPath {
        path: link,
        follows_link: false,
        roots: None,
    });
    let error = open(literal, FileAccess::Read, StopSignal::new())
        .await
        .expect_err("denied");
    assert!(
        matches!(&error, FileFailure::Denied(text) if text.contains("symbolic link")),
        "{error:?}"
    );
}

#[tokio::test]
async fn roots_bound_what_a_link_leads_to() {
    let (_folder, path) = folder();
    let (inside, outside) = (path.join("in"), path.join("out"));
    fs::create_dir(&inside).expect("creates");
    fs::write(inside.join("f"), b"x").expect("writes");
    fs::write(&outside, b"x").expect("writes");
    std::os::unix::fs::symlink(&outside, inside.join("link")).expect("links");
    let open_inside = |name: &str, access| {
        let allowed = AllowedFile::Path(AllowedPath {
            path: inside.join(name),
            follows_link: true,
            roots: Some(vec![inside.clone()]),
        });
        open(allowed, access, StopSignal::new())
    };
    assert!(open_inside("f", FileAccess::Read).await.is_ok());
    assert!(open_inside("new", FileAccess::Append).await.is_ok());
    let error = open_inside("link", FileAccess::Read).await.expect_err("leads outside");
    assert!(
        matches!(&error, FileFailure::Denied(text) if text.contains("weir.file.roots")),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_pipe_needs_no_other_end_and_a_stop_ends_the_wait() {
    let (_folder, path) = folder();
    let path = path.join("pipe");
    make_fifo(&path);
    let stop = StopSignal::new();
    let mut input = open(allowed(&path), FileAccess::Read, stop.clone())
        .await
        .expect("opens");
    assert_eq!(input.identity().kind, Kind::Stream);
    assert_eq!(input.read_at(0, 10).await, Ok(Vec::new()));
    let mut output = open_at(&path, FileAccess::Append).await.expect("opens");
    output.append(b"line\n".to_vec()).await.expect("writes");
    assert_eq!(input.read_at(0, 10).await, Ok(b"line\n".to_vec()));
    stop.request(Duration::from_secs(60));
    let ended = input.read_at(0, 10).await;
    assert!(matches!(ended, Err(FileFailure::Stopped(_))), "{ended:?}");
}

#[tokio::test]
async fn a_full_pipe_does_not_outlive_the_cut() {
    let (_folder, path) = folder();
    let path = path.join("pipe");
    make_fifo(&path);
    let stop = StopSignal::new();
    let mut output = open(allowed(&path), FileAccess::Append, stop.clone())
        .await
        .expect("opens");
    stop.request(Duration::ZERO);
    let ended = output.append(vec![0; 1 << 22]).await;
    assert!(matches!(ended, Err(FileFailure::Stopped(_))), "{ended:?}");
}

#[tokio::test]
async fn devices_are_streams_and_a_full_disk_has_its_own_error() {
    let mut zero = open_at(Path::new("/dev/zero"), FileAccess::Read).await.expect("opens");
    assert_eq!(zero.identity().kind, Kind::Stream);
    assert_eq!(zero.read_at(0, 3).await, Ok(vec![0; 3]));
    let mut full = open_at(Path::new("/dev/full"), FileAccess::Append)
        .await
        .expect("opens");
    let error = full.append(vec![1]).await.expect_err("no space");
    assert!(matches!(error, FileFailure::NoSpace(_)), "{error:?}");
}
