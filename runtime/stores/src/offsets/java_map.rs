//! Java's serialised `HashMap<byte[], byte[]>`
//!
//! Reads what `ObjectOutputStream` wrote of the standalone worker's offsets, and writes a stream that `ObjectInputStream` reads. Only
//! this one shape is understood; anything else is refused, so no class is ever looked up. Order of the entries is kept.
//! Source: Java Object Serialization Specification, protocol version 2; `java.util.HashMap.writeObject`; `FileOffsetBackingStore`.

/// One entry: both parts may be null.
pub type MapEntry = (Option<Vec<u8>>, Option<Vec<u8>>);

const STREAM_HEADER: [u8; 4] = [0xac, 0xed, 0x00, 0x05];
const TC_NULL: u8 = 0x70;
const TC_REFERENCE: u8 = 0x71;
const TC_CLASSDESC: u8 = 0x72;
const TC_OBJECT: u8 = 0x73;
const TC_ARRAY: u8 = 0x75;
const TC_BLOCKDATA: u8 = 0x77;
const TC_ENDBLOCKDATA: u8 = 0x78;
const BASE_HANDLE: u32 = 0x007e_0000;

const MAP_CLASS: &str = "java.util.HashMap";
const MAP_VERSION: u64 = 0x0507_dac1_c316_60d1;
/// Serialisable, with a `writeObject` method.
const MAP_FLAGS: u8 = 0x03;
const MAP_FIELDS: &[(u8, &str)] = &[(b'F', "loadFactor"), (b'I', "threshold")];
const BYTES_CLASS: &str = "[B";
const BYTES_VERSION: u64 = 0xacf3_17f8_0608_54e0;
const BYTES_FLAGS: u8 = 0x02;
const LOAD_FACTOR: f32 = 0.75;
const FIRST_CAPACITY: u32 = 16;

/// Prints a map as Java does.
pub fn write(entries: &[MapEntry]) -> Vec<u8> {
    let mut out = Vec::with_capacity(
        96 + entries
            .iter()
            .map(|(key, value)| 20 + len(key) + len(value))
            .sum::<usize>(),
    );
    out.extend(STREAM_HEADER);
    out.push(TC_OBJECT);
    write_class(&mut out, MAP_CLASS, MAP_VERSION, MAP_FLAGS, MAP_FIELDS);
    // As a `HashMap` that grew with its entries: a power of two, threshold 0 while it has no table.
    let mut capacity = FIRST_CAPACITY;
    while entries.len() as f32 > capacity as f32 * LOAD_FACTOR {
        capacity = capacity.saturating_mul(2);
    }
    let threshold = if entries.is_empty() {
        0
    } else {
        (capacity as f32 * LOAD_FACTOR) as i32
    };
    out.extend(LOAD_FACTOR.to_be_bytes());
    out.extend(threshold.to_be_bytes());
    out.extend([TC_BLOCKDATA, 8]);
    out.extend(capacity.to_be_bytes());
    out.extend((entries.len() as u32).to_be_bytes());
    let mut is_class_known = false;
    for (key, value) in entries {
        write_bytes(&mut out, key.as_deref(), &mut is_class_known);
        write_bytes(&mut out, value.as_deref(), &mut is_class_known);
    }
    out.push(TC_ENDBLOCKDATA);
    out
}

fn len(bytes: &Option<Vec<u8>>) -> usize {
    bytes.as_ref().map_or(0, Vec::len)
}

fn write_class(out: &mut Vec<u8>, name: &str, version: u64, flags: u8, fields: &[(u8, &str)]) {
    out.push(TC_CLASSDESC);
    write_text(out, name);
    out.extend(version.to_be_bytes());
    out.push(flags);
    out.extend((fields.len() as u16).to_be_bytes());
    for (kind, name) in fields {
        out.push(*kind);
        write_text(out, name);
    }
    out.extend([TC_ENDBLOCKDATA, TC_NULL]);
}

fn write_text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u16).to_be_bytes());
    out.extend(text.as_bytes());
}

fn write_bytes(out: &mut Vec<u8>, bytes: Option<&[u8]>, is_class_known: &mut bool) {
    // Handles: the map's class, the map, then the class of the arrays.
    const BYTES_CLASS_HANDLE: u32 = BASE_HANDLE + 2;
    let Some(bytes) = bytes else {
        return out.push(TC_NULL);
    };
    out.push(TC_ARRAY);
    if *is_class_known {
        out.push(TC_REFERENCE);
        out.extend(BYTES_CLASS_HANDLE.to_be_bytes());
    } else {
        write_class(out, BYTES_CLASS, BYTES_VERSION, BYTES_FLAGS, &[]);
        *is_class_known = true;
    }
    out.extend((bytes.len() as u32).to_be_bytes());
    out.extend(bytes);
}

/// Reads a map.
///
/// *Errors*: a text saying what the stream is not.
pub fn read(stream: &[u8]) -> Result<Vec<MapEntry>, &'static str> {
    let mut reader = Reader {
        rest: stream,
        handles: Vec::new(),
    };
    if reader.take(4)? != STREAM_HEADER {
        return Err("not a Java object stream");
    }
    if reader.u8()? != TC_OBJECT {
        return Err("not a serialised map");
    }
    reader.class(MAP_CLASS, MAP_VERSION)?;
    reader.handles.push(Handle::Other);
    // Load factor and threshold: rebuilt by whoever needs them.
    reader.take(8)?;
    if reader.u8()? != TC_BLOCKDATA || reader.u8()? != 8 {
        return Err("the map has no size");
    }
    reader.take(4)?;
    let size = i32::from_be_bytes(reader.array()?);
    let size = u32::try_from(size).map_err(|_| "the map's size is negative")?;
    let mut entries = Vec::new();
    for _ in 0..size {
        let key = reader.bytes()?;
        entries.push((key, reader.bytes()?));
    }
    match reader.u8()? {
        TC_ENDBLOCKDATA => Ok(entries),
        _ => Err("the map does not end where its size says"),
    }
}

/// What a back reference may mean.
#[derive(Clone)]
enum Handle {
    BytesClass,
    Bytes(Vec<u8>),
    Other,
}

struct Reader<'a> {
    rest: &'a [u8],
    handles: Vec<Handle>,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], &'static str> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or("the stream is cut short")?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], &'static str> {
        self.take(N)?.try_into().map_err(|_| "the stream is cut short")
    }

    fn u8(&mut self) -> Result<u8, &'static str> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    fn text(&mut self) -> Result<&'a [u8], &'static str> {
        let len = u16::from_be_bytes(self.array()?);
        self.take(usize::from(len))
    }

    /// A class description, written out.
    fn class(&mut self, name: &str, version: u64) -> Result<(), &'static str> {
        if self.u8()? != TC_CLASSDESC {
            return Err("a class is missing");
        }
        self.class_body(name, version)
    }

    fn class_body(&mut self, name: &str, version: u64) -> Result<(), &'static str> {
        if self.text()? != name.as_bytes() || u64::from_be_bytes(self.array()?) != version {
            return Err("an object is of another class than HashMap<byte[], byte[]>");
        }
        self.handles.push(if name == BYTES_CLASS {
            Handle::BytesClass
        } else {
            Handle::Other
        });
        self.take(1)?;
        for _ in 0..u16::from_be_bytes(self.array()?) {
            // Primitive fields only: an object field would carry a type name.
            if matches!(self.u8()?, b'L' | b'[') {
                return Err("an object is of another class than HashMap<byte[], byte[]>");
            }
            self.text()?;
        }
        if self.array()? != [TC_ENDBLOCKDATA, TC_NULL] {
            return Err("a class has a parent or annotations");
        }
        Ok(())
    }

    fn handle(&mut self) -> Result<Handle, &'static str> {
        let index = u32::from_be_bytes(self.array()?).checked_sub(BASE_HANDLE);
        let handle = index.and_then(|index| self.handles.get(index as usize));
        handle.cloned().ok_or("a back reference leads nowhere")
    }

    fn bytes(&mut self) -> Result<Option<Vec<u8>>, &'static str> {
        match self.u8()? {
            TC_NULL => Ok(None),
            TC_REFERENCE => match self.handle()? {
                Handle::Bytes(bytes) => Ok(Some(bytes)),
                Handle::BytesClass | Handle::Other => Err("a key or value is no byte array"),
            },
            TC_ARRAY => {
                match self.u8()? {
                    TC_CLASSDESC => self.class_body(BYTES_CLASS, BYTES_VERSION)?,
                    TC_REFERENCE => match self.handle()? {
                        Handle::BytesClass => {}
                        Handle::Bytes(_) | Handle::Other => {
                            return Err("a key or value is no byte array");
                        }
                    },
                    _ => return Err("an array has no class"),
                }
                let len = i32::from_be_bytes(self.array()?);
                let bytes = self
                    .take(usize::try_from(len).map_err(|_| "an array's size is negative")?)?
                    .to_vec();
                self.handles.push(Handle::Bytes(bytes.clone()));
                Ok(Some(bytes))
            }
            _ => Err("a key or value is no byte array"),
        }
    }
}

#[cfg(test)]
mod tests;
