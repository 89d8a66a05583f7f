//! Decisions on hosts, files and grants

use super::*;

fn granted(text: &str) -> Arc<GrantedSet> {
    let settings: ConfigMap = [("weir.grants.x.Source", text)].into_iter().collect();
    let grants = Grants::parse(&settings).expect("grants parse");
    Arc::new(grants.for_class(["x.Source"], Origin::PluginPath))
}

fn policy(asked: Vec<Capability>, grants: &str, config: &[(&str, &str)]) -> Policy {
    let config: ConfigMap = config.iter().copied().collect();
    Policy::new(asked, granted(grants), Arc::new(config))
}

fn http(pattern: &str) -> Vec<Capability> {
    vec![Capability::Http(pattern.to_owned())]
}

fn file(path: &str, access: FileAccess) -> Vec<Capability> {
    vec![Capability::Files(path.to_owned(), access)]
}

#[test]
fn a_host_needs_both_to_be_asked_for_and_granted() {
    let check = |asked: &str, grants: &str, host: &str, port: u16| {
        policy(http(asked), grants, &[])
            .destination(Network::Http, host, port)
            .ok()
    };
    let (public, any) = (Some(Destination::PublicOnly), Some(Destination::Any));
    assert_eq!(check("*.a.com:443", "http:*.a.com:443", "x.a.com", 443), public);
    assert_eq!(check("*.a.com:443", "http:x.a.com:443", "X.a.com", 443), any);
    assert_eq!(check("*.a.com:443", "http:*.a.com:443", "a.com", 443), None);
    assert_eq!(check("*.a.com:443", "http:*.a.com:443", "xa.com", 443), None);
    assert_eq!(check("*.a.com:443", "http:*.a.com:443", "x.a.com", 80), None);
    assert_eq!(check("*.a.com", "tcp:x.a.com:443", "x.a.com", 443), None);
    assert_eq!(check("*.b.com", "http:*.a.com", "x.a.com", 443), None);
    assert_eq!(check("*", "http:10.0.0.0/8:80", "10.1.2.3", 80), any);
    assert_eq!(check("*", "http:10.0.0.0/8:80", "11.1.2.3", 80), None);
    assert_eq!(check("*:*", "http:[::1]:9000", "[::1]", 9000), any);
}

#[test]
fn a_url_in_the_settings_grants_its_host_only_with_the_config_grant() {
    let config = [(
        "url",
        "http://user@127.0.0.1:9200/path?fields=a,other.example.com,b,https://es.example.com,next.example.com",
    )];
    let check = |grants: &str, host: &str, port: u16| {
        policy(http("config:url"), grants, &config)
            .destination(Network::Http, host, port)
            .ok()
    };
    assert_eq!(check("config", "127.0.0.1", 9200), Some(Destination::Any));
    assert_eq!(check("config", "127.0.0.1", 9201), None);
    assert_eq!(check("config", "es.example.com", 443), Some(Destination::Any));
    assert_eq!(check("config", "next.example.com", 443), Some(Destination::Any));
    assert_eq!(check("config", "other.example.com", 443), None, "it stands in a query");
    assert_eq!(check("", "127.0.0.1", 9200), None);
    assert_eq!(
        check("http:*.example.com:443", "es.example.com", 443),
        Some(Destination::PublicOnly)
    );
}

#[test]
fn a_file_named_by_a_setting_needs_config_or_a_file_grant() {
    let asked = || file("config:file", FileAccess::Read);
    let config = [("file", "/var/log/../log/syslog")];
    let open = |grants: &str| policy(asked(), grants, &config).file("file", FileAccess::Read);
    let allowed = AllowedFile::Path(AllowedPath {
        path: PathBuf::from("/var/log/syslog"),
        follows_link: true,
        roots: None,
    });
    assert_eq!(open("config"), Ok(allowed.clone()));
    assert_eq!(open("file:/var/log/*"), Ok(allowed));
}

#[test]
fn a_denied_file_names_the_path_and_the_missing_grant() {
    let open = |grants: &str, config: &[(&str, &str)], setting: &str| {
        policy(file("config:file", FileAccess::Read), grants, config)
            .file(setting, FileAccess::Read)
            .expect_err("denied")
    };
    assert_eq!(
        open("file:/data/*", &[("file", "/etc/shadow")], "file"),
        "/etc/shadow is not granted: weir.grants.x.Source has neither config nor file:/etc/shadow"
    );
    assert_eq!(
        open("config", &[("file", "/a")], "/etc/shadow"),
        "/etc/shadow is denied: it is neither a setting nor a path that the plugin asks for"
    );
    assert_eq!(
        open("config", &[("topic", "/a")], "topic"),
        "/a is denied: the plugin does not ask for files(config:topic)"
    );
    assert_eq!(
        open("", &[], "file"),
        "standard input is not granted: weir.grants.x.Source lacks config"
    );
}

#[test]
fn reading_is_not_writing() {
    let asked = file("config:file", FileAccess::Read);
    let policy = policy(asked, "config", &[("file", "/a")]);
    assert!(policy.file("file", FileAccess::Read).is_ok());
    let error = policy.file("file", FileAccess::Append).expect_err("denied");
    assert!(error.contains("write"), "{error}");
}

#[test]
fn a_null_setting_is_standard_input() {
    let asked = file("config:file", FileAccess::Read);
    let policy = policy(asked, "config", &[]);
    assert_eq!(policy.file("file", FileAccess::Read), Ok(AllowedFile::Standard));
}

#[test]
fn bundled_classes_have_the_config_grant_until_they_get_a_row() {
    let own: ConfigMap = [("weir.grants.A", "wall-clock")].into_iter().collect();
    let has_config = |settings: &ConfigMap, origin| {
        Grants::parse(settings)
            .expect("parses")
            .for_class(["A", "alias.A"], origin)
            .has(&Grant::Config)
    };
    assert!(has_config(&ConfigMap::new(), Origin::Bundled));
    assert!(!has_config(&ConfigMap::new(), Origin::PluginPath));
    assert!(!has_config(&own, Origin::Bundled));
    let star: ConfigMap = [("weir.grants.*", "config")].into_iter().collect();
    assert!(has_config(&star, Origin::PluginPath));
}

#[test]
fn more_memory_needs_asking_and_granting() {
    let asked = [Capability::MemoryBytes(512)];
    assert_eq!(granted("memory:400").memory_bytes(&asked, 256), 400);
    assert_eq!(granted("").memory_bytes(&asked, 256), 256);
    assert_eq!(granted("memory:400").memory_bytes(&[], 256), 256);
    assert_eq!(granted("memory:100").memory_bytes(&asked, 256), 256);
}

#[test]
fn a_grant_that_cannot_be_read_names_key_and_value() {
    let settings: ConfigMap = [("weir.grants.*", "config,disk:/")].into_iter().collect();
    let error = Grants::parse(&settings).expect_err("unknown word").to_string();
    assert!(
        error.starts_with("invalid value disk:/ for configuration weir.grants.*: known grants are"),
        "{error}"
    );
}

#[test]
fn secrets_go_to_hosts_of_the_settings_only_and_need_a_grant() {
    let mut asked = http("config:url");
    asked.push(Capability::Http("*:*".to_owned()));
    asked.push(Capability::Secrets);
    let config = [
        ("url", "https://api.example.com/v2/"),
        ("other", "https://other.example.com"),
    ];
    let policy = |grants: &str| policy(asked.clone(), grants, &config);
    assert!(policy("").hides_secrets());
    let granted = policy("config,secrets,http:*:*");
    assert_eq!(granted.may_see_secrets("api.example.com", 443), Ok(()));
    for (host, port) in [
        ("api.example.com", 80),
        ("other.example.com", 443),
        ("evil.example.com", 443),
    ] {
        let refused = granted.may_see_secrets(host, port).expect_err("refused");
        assert_eq!(
            refused,
            format!("{host}:{port} may not see secrets: no setting of the connector names it")
        );
    }
    let ungranted = policy("config").may_see_secrets("api.example.com", 443);
    assert_eq!(
        ungranted.expect_err("refused"),
        "api.example.com:443 may not see secrets: weir.grants.x.Source lacks secrets"
    );
}

#[test]
fn bundled_classes_may_send_secrets_where_their_settings_count() {
    let may = |grants: &[(&str, &str)], origin| {
        let settings: ConfigMap = grants.iter().copied().collect();
        let grants = Grants::parse(&settings).expect("parses");
        grants.for_class(["A"], origin).has(&Grant::Secrets)
    };
    assert!(may(&[], Origin::Bundled));
    assert!(may(&[("weir.grants.A", "config")], Origin::Bundled));
    assert!(!may(&[("weir.grants.A", "http:*")], Origin::Bundled));
    assert!(!may(&[("weir.grants.A", "config")], Origin::PluginPath));
    assert!(may(&[("weir.grants.A", "config,secrets")], Origin::PluginPath));
}

#[test]
fn defaults_grant_hosts_to_bundled_classes_only() {
    use weir_config::def::ConfigKey;
    let definition = ConfigDef::new()
        .key(ConfigKey::text("url").default("https://api.example.com"))
        .key(ConfigKey::text("file").default_null());
    let written: ConfigMap = [("topic", "t")].into_iter().collect();
    let allows = |origin, written: &ConfigMap| {
        let settings = effective_settings(origin, &definition, written);
        assert!(!settings.contains_key("file"), "null stays null");
        Policy::new(http("config:url"), granted("config"), Arc::new(settings))
            .destination(Network::Http, "api.example.com", 443)
            .is_ok()
    };
    assert!(allows(Origin::Bundled, &written));
    assert!(!allows(Origin::PluginPath, &written));
    let elsewhere: ConfigMap = [("url", "https://elsewhere.com")].into_iter().collect();
    assert!(!allows(Origin::Bundled, &elsewhere));
}

#[test]
fn the_connectors_proxy_counts_for_classes_that_ask_for_http() {
    let config = [("http.proxy.url", "http://proxy.example.com:3128")];
    assert_eq!(
        policy(http("config:url"), "config", &config).own_proxy(),
        Some("http://proxy.example.com:3128")
    );
    assert_eq!(policy(Vec::new(), "config", &config).own_proxy(), None);
    assert_eq!(
        policy(http("*"), "config", &[("http.proxy.url", " ")]).own_proxy(),
        None
    );
    let judged = policy(http("config:url"), "config", &config);
    assert_eq!(
        judged.destination(Network::Http, "proxy.example.com", 3128),
        Ok(Destination::Any)
    );
}

#[test]
fn grants_that_name_addresses_open_them_to_wildcards_on_their_ports() {
    let policy = policy(
        http("*:*"),
        "http:*:*,http:10.0.0.0/8:80,http:[::1]:81,http:a.com:82",
        &[],
    );
    let ranges = |port: u16| policy.granted_ranges(Network::Http, port).count();
    assert_eq!([80, 81, 82, 83].map(ranges), [1, 1, 0, 0]);
}
