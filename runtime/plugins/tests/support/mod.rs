//! Components for tests, written as core WebAssembly text
//!
//! A guest is the WAT bodies of the few functions that matter; everything else answers "ok, nothing". The canonical ABI is
//! spelled out here once, so that a guest can do what no SDK would: lie, loop, trap, eat memory.

#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(clippy::indexing_slicing, reason = "on bytes that stand in this file")]

use std::fmt::Write as _;
use std::path::Path;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// First free byte behind what the skeleton keeps in memory.
const DATA_AT: usize = 4096;

/// A source or sink whose behaviour is given as WAT.
#[derive(Debug, Clone)]
pub(crate) struct Guest {
    pub(crate) class: &'static str,
    pub(crate) aliases: &'static [&'static str],
    pub(crate) version: &'static str,
    pub(crate) world: World,
    /// Capability `files(config:file, write)`.
    pub(crate) asks_for_file: bool,
    pub(crate) overrides_validate: bool,
    /// Imports: lines of WAT.
    pub(crate) imports: &'static str,
    /// Further functions.
    pub(crate) functions: &'static str,
    /// Body of `poll` (source) or `put` (sink); must leave the address of the answer.
    pub(crate) body: String,
    /// Body of `start` of the task.
    pub(crate) start: &'static str,
    /// Body of `validate`.
    pub(crate) validate: &'static str,
    /// Bytes placed at [`DATA_AT`].
    pub(crate) data: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum World {
    Source,
    Sink,
}

/// Address of an answer that reads as "ok" with nothing in it.
pub(crate) const OK: &str = "i32.const 1024";

impl Guest {
    /// A source that answers "nothing to do" to every poll.
    pub(crate) fn source(class: &'static str) -> Self {
        Self {
            class,
            aliases: &[],
            version: "1.0.0",
            world: World::Source,
            asks_for_file: false,
            overrides_validate: false,
            imports: "",
            functions: "",
            body: OK.to_owned(),
            start: OK,
            validate: OK,
            data: Vec::new(),
        }
    }

    /// A sink that takes every frame.
    pub(crate) fn sink(class: &'static str) -> Self {
        Self {
            world: World::Sink,
            ..Self::source(class)
        }
    }

    pub(crate) fn with_body(mut self, body: impl Into<String>) -> Self {
        self.body = body.into();
        self
    }

    /// A source that gives the same frame at every poll.
    pub(crate) fn with_frame(mut self, frame: Vec<u8>) -> Self {
        self.body = format!(
            "(i32.store8 (i32.const 2048) (i32.const 0))
             (i32.store8 (i32.const 2052) (i32.const 1))
             (i32.store (i32.const 2056) (i32.const {DATA_AT}))
             (i32.store (i32.const 2060) (i32.const {}))
             i32.const 2048",
            frame.len()
        );
        self.data = frame;
        self
    }

    /// Builds the component.
    pub(crate) fn component(&self) -> Vec<u8> {
        let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
        let mut resolve = Resolve::default();
        let (package, _) = resolve.push_path(wit).expect("wit/ parses");
        let world = match self.world {
            World::Source => "source",
            World::Sink => "sink",
        };
        let world = resolve
            .select_world(&[package], Some(world))
            .expect("the world is there");
        let mut module = wat::parse_str(self.text()).expect("the text parses");
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).expect("metadata embeds");
        ComponentEncoder::default()
            .module(&module)
            .expect("the module fits the world")
            .validate(true)
            .encode()
            .expect("the component encodes")
    }

    fn text(&self) -> String {
        let heap = (DATA_AT + self.data.len()).next_multiple_of(8);
        let pages = heap / 65_536 + 2;
        let mut text = format!(
            "(module
              {imports}
              (memory (export \"memory\") {pages})
              (global $heap (mut i32) (i32.const {heap}))
              (func $realloc (export \"cabi_realloc\") (param $old i32) (param $old_len i32) (param $align i32) (param $len i32) (result i32)
                (local $at i32)
                (local.set $at (i32.and (i32.add (global.get $heap) (i32.sub (local.get $align) (i32.const 1)))
                                        (i32.sub (i32.const 0) (local.get $align))))
                (global.set $heap (i32.add (local.get $at) (local.get $len)))
                (block $fits
                  (loop $grow
                    (br_if $fits (i32.le_u (global.get $heap) (i32.mul (memory.size) (i32.const 65536))))
                    (drop (memory.grow (i32.const 16)))
                    (br $grow)))
                (local.get $at))
              {functions}",
            imports = self.imports,
            functions = self.functions,
        );
        self.plugin(&mut text);
        match self.world {
            World::Source => self.source_functions(&mut text, heap),
            World::Sink => self.sink_functions(&mut text, heap),
        }
        writeln!(text, "(data (i32.const {DATA_AT}) \"{}\"))", escaped(&self.data)).expect("writes to a string");
        text
    }

    /// `describe`: one class; the class record is at 64, its texts from 256 on, the descriptor at 32.
    fn plugin(&self, text: &mut String) {
        let (name_at, version_at, aliases_at, alias_text_at) = (256, 448, 496, 600);
        let mut stores = String::new();
        let mut store = |at: usize, value: usize| {
            writeln!(stores, "(i32.store (i32.const {at}) (i32.const {value}))").expect("writes");
        };
        store(32, 64); // classes
        store(36, 1);
        store(40, 160); // capabilities
        store(44, usize::from(self.asks_for_file));
        store(
            64,
            match self.world {
                World::Source => 0,
                World::Sink => 1,
            },
        );
        store(68, name_at);
        store(72, self.class.len());
        store(76, aliases_at);
        store(80, self.aliases.len());
        store(84, version_at);
        store(88, self.version.len());
        let mut at = alias_text_at;
        for (index, alias) in self.aliases.iter().enumerate() {
            store(aliases_at + index * 8, at);
            store(aliases_at + index * 8 + 4, alias.len());
            at += alias.len();
        }
        // files(("config:file", true))
        store(160, 2);
        store(168, 900);
        store(172, "config:file".len());
        store(176, 1);
        // get-config-def: no keys.
        store(1040 + 12, usize::from(self.overrides_validate));
        write!(
            text,
            "(data (i32.const {name_at}) \"{}\") (data (i32.const {version_at}) \"{}\")
             (data (i32.const {alias_text_at}) \"{}\") (data (i32.const 900) \"config:file\")
             (func (export \"weir:connect/plugin@0.1.0#describe\") (result i32) {stores} i32.const 32)
             (func (export \"weir:connect/plugin@0.1.0#get-config-def\") (param i32 i32 i32) (result i32) i32.const 1040)
             (func (export \"weir:connect/plugin@0.1.0#validate\") (param i32 i32 i32 i32 i32) (result i32) {})",
            self.class,
            self.version,
            self.aliases.concat(),
            self.validate,
        )
        .expect("writes");
    }

    fn source_functions(&self, text: &mut String, heap: usize) {
        let connector = "weir:connect/source-connector@0.1.0";
        let task = "weir:connect/source-task@0.1.0";
        write!(
            text,
            "(func (export \"{connector}#start\") (param i32 i32 i32 i32) (result i32) {OK})
             (func (export \"{connector}#task-configs\") (param i32) (result i32) {OK})
             (func (export \"{connector}#monitor\") (result i32) {OK})
             (func (export \"{connector}#stop\") (result i32) {OK})
             (func (export \"{connector}#exactly-once-support\") (param i32 i32 i32 i32) (result i32) {OK})
             (func (export \"{connector}#can-define-transaction-boundaries\") (param i32 i32 i32 i32) (result i32) {OK})
             (func (export \"{connector}#alter-offsets\") (param i32 i32 i32 i32 i32 i32) (result i32) {OK})
             (func (export \"{task}#start\") (param i32 i32 i32 i32) (result i32) {start})
             (func $poll (export \"{task}#poll\") (param i32 i32 i32) (result i32)
               (local $count i32)
               (global.set $heap (i32.const {heap})) {body})
             (func (export \"{task}#records-acked\") (param i64 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32) {OK})
             (func (export \"{task}#commit\") (result i32) {OK})
             (func (export \"{task}#stop\") (result i32) {OK})",
            start = self.start,
            body = self.body,
        )
        .expect("writes");
    }

    fn sink_functions(&self, text: &mut String, heap: usize) {
        let connector = "weir:connect/sink-connector@0.1.0";
        let task = "weir:connect/sink-task@0.1.0";
        write!(
            text,
            "(func (export \"{connector}#start\") (param i32 i32 i32 i32) (result i32) {OK})
             (func (export \"{connector}#task-configs\") (param i32) (result i32) {OK})
             (func (export \"{connector}#monitor\") (result i32) {OK})
             (func (export \"{connector}#stop\") (result i32) {OK})
             (func (export \"{connector}#alter-offsets\") (param i32 i32 i32 i32 i32 i32) (result i32) {OK})
             (func (export \"{task}#start\") (param i32 i32 i32 i32) (result i32) {start})
             (func (export \"{task}#open\") (param i32 i32) (result i32) {OK})
             (func $put (export \"{task}#put\") (param $frame i32) (param $len i32) (result i32)
               (global.set $heap (i32.const {heap})) {body})
             (func (export \"{task}#flush\") (param i32 i32) (result i32) {OK})
             (func (export \"{task}#pre-commit\") (param i32 i32) (result i32) {OK})
             (func (export \"{task}#close\") (param i32 i32) (result i32) {OK})
             (func (export \"{task}#stop\") (result i32) {OK})",
            start = self.start,
            body = self.body,
        )
        .expect("writes");
    }
}

fn escaped(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("\\{byte:02x}")).collect()
}

/// Guests that misbehave, by name; also written out by `examples/hostile_guest.rs` for the tests of the whole worker.
pub(crate) fn hostile(name: &str) -> Option<Guest> {
    let guest = match name {
        "trap" => Guest::source("test.TrapSourceConnector").with_body("unreachable"),
        "loop" => Guest::source("test.LoopSourceConnector").with_body("(loop $forever br $forever) unreachable"),
        "memory" => Guest::source("test.MemorySourceConnector")
            .with_body("(loop $more (drop (memory.grow (i32.const 160))) br $more) unreachable"),
        "stack" => Guest {
            functions: "(func $deeper (param i32) (result i32) (i32.add (call $deeper (i32.add (local.get 0) (i32.const 1))) (i32.const 1)))",
            ..Guest::source("test.StackSourceConnector").with_body("(call $deeper (i32.const 0))")
        },
        // Opens what the setting `file` names; the answer's error, if any, becomes the error of `poll`.
        "open" => Guest {
            imports: "(import \"weir:connect/files@0.1.0\" \"open\" (func $open (param i32 i32 i32 i32)))",
            asks_for_file: true,
            data: b"file".to_vec(),
            ..Guest::source("test.OpenSourceConnector").with_body(OPEN_BODY)
        },
        // The same with a path of its own.
        "open-path" => Guest {
            imports: "(import \"weir:connect/files@0.1.0\" \"open\" (func $open (param i32 i32 i32 i32)))",
            asks_for_file: true,
            data: b"/etc/shadow".to_vec(),
            ..Guest::source("test.OpenPathSourceConnector")
                .with_body(OPEN_BODY.replace("(i32.const 4)", "(i32.const 11)"))
        },
        "log" => Guest {
            imports: "(import \"weir:connect/runtime@0.1.0\" \"log\" (func $log (param i32 i32 i32 i32 i32)))",
            data: b"flood".to_vec(),
            ..Guest::source("test.LogSourceConnector").with_body(
                "(loop $again
                   (call $log (i32.const 2) (i32.const 4096) (i32.const 5) (i32.const 0) (i32.const 0))
                   (local.set $count (i32.add (local.get $count) (i32.const 1)))
                   (br_if $again (i32.lt_u (local.get $count) (i32.const 100000))))
                 i32.const 1024",
            )
        },
        "sleep" => Guest {
            imports: "(import \"weir:connect/runtime@0.1.0\" \"sleep\" (func $sleep (param i32) (result i32)))",
            ..Guest::source("test.SleepSourceConnector")
                .with_body("(drop (call $sleep (i32.const 600000))) i32.const 1024")
        },
        // Sleeps again and again, whatever `sleep` says about a stop.
        "deaf" => Guest {
            imports: "(import \"weir:connect/runtime@0.1.0\" \"sleep\" (func $sleep (param i32) (result i32)))",
            ..Guest::source("test.DeafSourceConnector")
                .with_body("(loop $forever (drop (call $sleep (i32.const 600000))) br $forever) unreachable")
        },
        "lie" => {
            let mut frame = one_record_frame();
            // The record says that it is longer than the frame.
            frame[32] = 0xff;
            Guest::source("test.LieSourceConnector").with_frame(frame)
        }
        "huge" => Guest::source("test.HugeSourceConnector").with_body(
            "(drop (memory.grow (i32.const 1024)))
             (i32.store8 (i32.const 2052) (i32.const 1))
             (i32.store (i32.const 2056) (i32.const 65536))
             (i32.store (i32.const 2060) (i32.const 50331648))
             i32.const 2048",
        ),
        _ => return None,
    };
    Some(guest)
}

const OPEN_BODY: &str = "(call $open (i32.const 4096) (i32.const 4) (i32.const 0) (i32.const 3000))
     (if (result i32) (i32.load8_u (i32.const 3000))
       (then
         (i32.store8 (i32.const 3100) (i32.const 1))
         (i32.store8 (i32.const 3104) (i32.const 1))
         (i32.store (i32.const 3108) (i32.load (i32.const 3008)))
         (i32.store (i32.const 3112) (i32.load (i32.const 3012)))
         i32.const 3100)
       (else i32.const 1024))";

/// The example of the frame's specification: topic `t`, value `hi`.
pub(crate) fn one_record_frame() -> Vec<u8> {
    let hex = "57524631000000000100000054000000020000005f0000000000000000000000\
               30000000000000000000 0000ffffffff0000000000000000\
               010000000200000000000000ffffffff0800000002000000\
               68697b7d\
               0100000074020000007b7d";
    let digits: Vec<u32> = hex.chars().filter_map(|c| c.to_digit(16)).collect();
    digits
        .chunks(2)
        .map(|pair| u8::try_from(pair[0] * 16 + pair[1]).expect("two digits"))
        .collect()
}
