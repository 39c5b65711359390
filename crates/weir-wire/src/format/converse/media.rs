//! Pictures, sound, films and documents, between their types and the words that Bedrock has for these.

use crate::format::read::invalid;
use crate::json::write::Object;
use crate::neutral::{Lost, Media, MediaKind, Raw, Source, Str};
use serde::Deserialize;
use std::collections::{HashMap, HashSet};
use weir_core::Fault;

/// Types and words, by kind.
const IMAGES: [(&str, &str); 4] =
    [("image/png", "png"), ("image/jpeg", "jpeg"), ("image/gif", "gif"), ("image/webp", "webp")];
const DOCUMENTS: [(&str, &str); 9] = [
    ("application/pdf", "pdf"),
    ("text/csv", "csv"),
    ("application/msword", "doc"),
    ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", "docx"),
    ("application/vnd.ms-excel", "xls"),
    ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"),
    ("text/html", "html"),
    ("text/plain", "txt"),
    ("text/markdown", "md"),
];
const VIDEOS: [(&str, &str); 8] = [
    ("video/mp4", "mp4"),
    ("video/quicktime", "mov"),
    ("video/webm", "webm"),
    ("video/x-matroska", "mkv"),
    ("video/x-flv", "flv"),
    ("video/mpeg", "mpeg"),
    ("video/x-ms-wmv", "wmv"),
    ("video/3gpp", "three_gp"),
];
const SOUNDS: [(&str, &str); 11] = [
    ("audio/mpeg", "mp3"),
    ("audio/mp3", "mp3"),
    ("audio/wav", "wav"),
    ("audio/flac", "flac"),
    ("audio/ogg", "ogg"),
    ("audio/opus", "opus"),
    ("audio/aac", "aac"),
    ("audio/mp4", "m4a"),
    ("audio/m4a", "m4a"),
    ("audio/webm", "webm"),
    ("audio/pcm", "pcm"),
];

const fn words(kind: MediaKind) -> &'static [(&'static str, &'static str)] {
    match kind {
        MediaKind::Image => &IMAGES,
        MediaKind::Audio => &SOUNDS,
        MediaKind::Video => &VIDEOS,
        MediaKind::Document => &DOCUMENTS,
    }
}

/// The name of a block that holds such a medium.
pub(super) const fn block(kind: MediaKind) -> &'static str {
    match kind {
        MediaKind::Image => "image",
        MediaKind::Audio => "audio",
        MediaKind::Video => "video",
        MediaKind::Document => "document",
    }
}

/// A block's content.
#[derive(Deserialize)]
pub(super) struct Block<'a> {
    #[serde(borrow)]
    format: Option<Str<'a>>,
    source: From<'a>,
    name: Option<Str<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct From<'a> {
    #[serde(borrow)]
    bytes: Option<Str<'a>>,
    text: Option<Str<'a>>,
    s3_location: Option<Location<'a>>,
    content: Option<Raw<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Location<'a> {
    #[serde(borrow)]
    uri: Str<'a>,
}

/// A medium, read. Documents that are lists of texts are left behind.
pub(super) fn read<'a>(
    kind: MediaKind,
    block: Block<'a>,
    path: &str,
    lost: &mut Lost,
) -> Result<Option<Media<'a>>, Fault> {
    let source = match block.source {
        From { bytes: Some(base64), .. } => {
            let word = block.format.ok_or_else(|| invalid(&format!("{path}.format"), "it is missing"))?;
            let known = words(kind).iter().find(|(_, known)| word == **known);
            let mime = match known {
                Some((mime, _)) => Str::from(*mime),
                None => Str::from(format!("{}/{word}", block_type(kind))),
            };
            Source::Data { mime, base64 }
        }
        From { text: Some(text), .. } => Source::Text(text),
        From { s3_location: Some(location), .. } => Source::Url(location.uri),
        From { content: Some(_), .. } => {
            lost.note(format!("{path}.source.content"));
            return Ok(None);
        }
        From { .. } => return Err(invalid(&format!("{path}.source"), "there is nothing in it")),
    };
    Ok(Some(Media { kind, source, name: block.name, detail: None, cache: None }))
}

const fn block_type(kind: MediaKind) -> &'static str {
    match kind {
        MediaKind::Image => "image",
        MediaKind::Audio => "audio",
        MediaKind::Video => "video",
        MediaKind::Document => "application",
    }
}

/// What a medium is written as.
pub(super) struct Written<'m> {
    word: &'static str,
    source: Place<'m>,
}

enum Place<'m> {
    Bytes(&'m str),
    Text(&'m str),
    S3(&'m str),
}

/// The same in Bedrock's words, if it has any: no address but one in S3, no type that it does not know.
pub(super) fn written<'m>(media: &'m Media<'_>) -> Option<Written<'m>> {
    let known = words(media.kind);
    let by_mime = |mime: &str| {
        let mime = mime.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        known.iter().find(|(known, _)| *known == mime).map(|(_, word)| *word)
    };
    let by_ending = |address: &str| {
        let ending = address.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
        let ending = if ending == "jpg" { "jpeg" } else { &ending };
        known.iter().find(|(_, word)| *word == ending).map(|(_, word)| *word)
    };
    match &media.source {
        Source::Data { mime, base64 } => Some(Written { word: by_mime(mime)?, source: Place::Bytes(base64) }),
        Source::Url(url) if url.starts_with("s3://") => {
            Some(Written { word: by_ending(url)?, source: Place::S3(url) })
        }
        Source::Text(text) if media.kind == MediaKind::Document => {
            Some(Written { word: "txt", source: Place::Text(text) })
        }
        Source::Url(_) | Source::File(_) | Source::Text(_) => None,
    }
}

impl Written<'_> {
    /// The block's content. `name`: of a document, which must have one.
    pub(super) fn put(&self, block: &mut Object<'_>, name: Option<&str>) {
        block.put("format", self.word);
        block.maybe("name", name);
        block.object("source", |source| match self.source {
            Place::Bytes(base64) => source.put("bytes", base64),
            Place::Text(text) => source.put("text", text),
            Place::S3(uri) => source.object("s3Location", |location| location.put("uri", uri)),
        });
    }
}

/// The names of a conversation's documents: of letters, digits, hyphens, brackets and single spaces, and no two alike.
#[derive(Default)]
pub(super) struct Names {
    given: HashSet<String>,
    /// How often each was wanted.
    wanted: HashMap<String, u32>,
}

impl Names {
    pub(super) fn next(&mut self, name: Option<&str>) -> String {
        const LONGEST: usize = 180;
        let mut written = String::new();
        for sign in name.unwrap_or_default().chars().take(LONGEST) {
            match sign {
                ' ' | '\t' if written.ends_with(' ') => {}
                ' ' | '\t' => written.push(' '),
                '-' | '(' | ')' | '[' | ']' => written.push(sign),
                sign if sign.is_ascii_alphanumeric() => written.push(sign),
                _ => written.push('-'),
            }
        }
        let trimmed = written.trim();
        let wanted = if trimmed.is_empty() { "document" } else { trimmed };
        let times = self.wanted.entry(wanted.to_owned()).or_default();
        loop {
            *times += 1;
            let name = if *times == 1 { wanted.to_owned() } else { format!("{wanted} ({times})") };
            if self.given.insert(name.clone()) {
                return name;
            }
        }
    }
}
