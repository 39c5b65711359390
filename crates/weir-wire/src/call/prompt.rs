//! What a prompt holds: found by a second look at its own bytes, and only for whoever asks.

use super::CallFacts;
use crate::json::{self, JsonFault, Kind, Reader, Text};
use std::ops::Range;
use weir_core::{Endpoint, Need, Needs};

/// What is known of a prompt without its text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prompt {
    /// Messages of the user; 1 where there are no messages.
    pub turns: u32,
    /// What the call uses, in the prompt and beside it.
    pub needs: Needs,
    /// Bytes of text as it is written, of all roles. Images and sound are not part of it.
    pub text_bytes: usize,
    /// Images in it.
    pub images: u32,
}

impl CallFacts {
    /// What the prompt in `body` holds. `body` must be the one that these facts were read from.
    pub fn prompt(&self, body: &[u8]) -> Prompt {
        let mut look = Look::new(self.needs);
        self.look(body, &mut look);
        look.found
    }

    /// Writes what the user says into `out`: every message of the user's, or the prompt, parted by line ends; when that is
    /// more than `most` bytes as written, the latest of it. Gives what [`prompt`](CallFacts::prompt) gives, and where in
    /// `out` the latest message begins.
    pub fn user_text(&self, body: &[u8], most: usize, out: &mut String) -> (Prompt, usize) {
        let mut look = Look::new(self.needs);
        self.look(body, &mut look);
        out.clear();
        let mut room = most;
        let fitting = look.texts.iter().rev().take_while(|(_, text)| {
            let fits = text.raw().len() <= room;
            room = room.saturating_sub(text.raw().len());
            fits
        });
        let skipped = look.texts.len() - fitting.count();
        let mut latest = (0, 0);
        // Of a message that is too long by itself its beginning is read: there people say what they want.
        if let Some((_, text)) = look.texts.last().filter(|_| skipped == look.texts.len()) {
            let cut = text.raw().get(..text.raw().floor_char_boundary(most)).unwrap_or_default();
            out.push_str(cut);
        }
        for (turn, text) in look.texts.iter().skip(skipped) {
            if !out.is_empty() {
                out.push('\n');
            }
            if *turn != latest.0 {
                latest = (*turn, out.len());
            }
            text.unescape_into(out);
        }
        (look.found, latest.1)
    }

    /// Gives `said` what a conversation begins with, text by text as written: everything up to the user's first message and
    /// with it. Later turns of the same conversation begin so, too. Of a plain prompt it is the first `most` bytes.
    pub fn opening(&self, body: &[u8], most: usize, said: &mut dyn FnMut(&[u8])) {
        let mut look = Look::new(self.needs);
        look.keeps_all = true;
        let written = body.get(self.prompt.clone()).unwrap_or_default();
        let plain = !self.has_turns(written);
        look.unnamed_is_user = self.endpoint.names_model_in_address();
        if plain {
            self.look(body, &mut look);
        } else {
            let read = Reader::new(written).and_then(|mut reader| {
                reader.elements(&mut |reader| {
                    if look.found.turns == 0 { look.message(reader) } else { reader.skip() }
                })
            });
            debug_assert!(read.is_ok(), "the body has been read before");
        }
        for (_, text) in &look.texts {
            let raw = text.raw().as_bytes();
            said(if plain { raw.get(..most.min(raw.len())).unwrap_or(raw) } else { raw });
            if plain {
                break;
            }
        }
    }

    /// Whether `metadata` has this key with a text, or with a list that has a text, of which `is` says yes.
    pub fn metadata(&self, body: &[u8], key: &str, is: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        let Some(metadata) = self.metadata.clone().and_then(|range| body.get(range)) else { return false };
        let mut found = false;
        let read = Reader::new(metadata).and_then(|mut reader| {
            reader.members(&mut |reader, name| {
                if name.unescape() != key {
                    return reader.skip();
                }
                match reader.peek()? {
                    Kind::Array => reader.elements(&mut |reader| {
                        let text = reader.text()?;
                        found |= text.is_some_and(|text| is(text.unescape().as_bytes()));
                        Ok(())
                    }),
                    _ => reader.text().map(|text| {
                        found |= text.is_some_and(|text| is(text.unescape().as_bytes()));
                        true
                    }),
                }?;
                Ok(())
            })
        });
        // The body has been read before: its grammar is sound.
        read.is_ok() && found
    }

    /// Whether the prompt is a list of what has been said.
    fn has_turns(&self, written: &[u8]) -> bool {
        let counted = matches!(self.endpoint, Endpoint::CountTokens | Endpoint::CountContents);
        (self.endpoint.has_messages() || counted) && written.starts_with(b"[")
    }

    fn look<'b>(&self, body: &'b [u8], look: &mut Look<'b>) {
        let written = body.get(self.prompt.clone()).unwrap_or_default();
        let turns = self.has_turns(written);
        look.unnamed_is_user = self.endpoint.names_model_in_address();
        let read = match written {
            b"" => Ok(()),
            written => Reader::new(written).and_then(|mut reader| match turns {
                true => reader.elements(&mut |reader| look.message(reader)).map(|_| ()),
                false => look.plain(&mut reader),
            }),
        };
        debug_assert!(read.is_ok(), "the body has been read before");
        look.found.text_bytes += self.system.as_ref().map_or(0, Range::len);
    }
}

struct Look<'b> {
    found: Prompt,
    /// The texts that count, each with the number of its message.
    texts: Vec<(u32, Text<'b>)>,
    /// Whether what others than the user said is kept, too.
    keeps_all: bool,
    /// Whether who is not named is the user.
    unnamed_is_user: bool,
}

impl<'b> Look<'b> {
    fn new(needs: Needs) -> Self {
        let found = Prompt { needs, ..Prompt::default() };
        Look { found, texts: Vec::new(), keeps_all: false, unnamed_is_user: false }
    }

    fn message(&mut self, reader: &mut Reader<'b>) -> Result<(), JsonFault> {
        let before = self.texts.len();
        // The role may stand behind what was said.
        let turn = self.found.turns + 1;
        let mut by_user = self.unnamed_is_user;
        let mut results_only = false;
        reader.members(&mut |reader, name| {
            match &*name.unescape() {
                "role" => by_user = reader.text()?.is_some_and(|role| role.unescape() == "user"),
                "content" | "parts" if reader.peek()? == Kind::Array => {
                    let (mut results, mut parts) = (0, 0);
                    reader.elements(&mut |reader| {
                        parts += 1;
                        results += usize::from(self.part(reader, turn)?);
                        Ok(())
                    })?;
                    results_only = results > 0 && results == parts;
                }
                "content" => {
                    let text = reader.text()?;
                    self.said(turn, text);
                }
                "images" if reader.peek()? == Kind::Array => {
                    reader.elements(&mut |reader| {
                        self.image();
                        reader.skip()
                    })?;
                }
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        // What tools gave is no turn of a person's, whoever hands it in.
        if by_user && !results_only {
            self.found.turns = turn;
        } else if !self.keeps_all {
            self.texts.truncate(before);
        }
        Ok(())
    }

    /// One part of a message: text, an image, sound. Gives whether it is what a tool gave.
    fn part(&mut self, reader: &mut Reader<'b>, turn: u32) -> Result<bool, JsonFault> {
        let mut said = None;
        let mut kind = None;
        let mut is_result = false;
        reader.members(&mut |reader, name| {
            match &*name.unescape() {
                "text" => said = reader.text()?,
                "type" => kind = reader.text()?,
                // Google's parts are told by the member they have.
                "inlineData" | "inline_data" | "fileData" | "file_data" => self.data(reader)?,
                "functionResponse" | "function_response" => {
                    is_result = true;
                    reader.skip()?;
                }
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        let kind = kind.map(|kind| kind.unescape());
        match kind.as_deref() {
            Some("image_url" | "input_image" | "image") => self.image(),
            Some("input_audio" | "audio_url" | "audio") => self.found.needs.add(Need::Audio),
            _ => {}
        }
        self.said(turn, said);
        Ok(is_result || kind.as_deref() == Some("tool_result"))
    }

    fn image(&mut self) {
        self.found.images = self.found.images.saturating_add(1);
        self.found.needs.add(Need::Images);
    }

    /// A medium whose type says what it is.
    fn data(&mut self, reader: &mut Reader<'b>) -> Result<(), JsonFault> {
        let mut mime = None;
        reader.members(&mut |reader, name| {
            match &*name.unescape() {
                "mimeType" | "mime_type" => mime = reader.text()?,
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        let mime = mime.map(|mime| mime.unescape().to_ascii_lowercase()).unwrap_or_default();
        if mime.starts_with("image/") {
            self.image();
        } else if mime.starts_with("audio/") {
            self.found.needs.add(Need::Audio);
        }
        Ok(())
    }

    fn plain(&mut self, reader: &mut Reader<'b>) -> Result<(), JsonFault> {
        self.found.turns = 1;
        if reader.peek()? != Kind::Array {
            let text = reader.text()?;
            self.said(1, text);
            return Ok(());
        }
        reader.elements(&mut |reader| {
            let text = reader.text()?;
            self.said(1, text);
            Ok(())
        })?;
        Ok(())
    }

    fn said(&mut self, turn: u32, text: Option<Text<'b>>) {
        if let Some(text) = text {
            self.found.text_bytes += text.raw().len();
            self.texts.push((turn, text));
        }
    }
}

/// Whether a `response_format` asks for a JSON schema.
pub(super) fn asks_for_a_schema(format: &[u8]) -> bool {
    let mut asks = false;
    let read = json::scan(format, &mut |field| {
        let value = format.get(field.value.clone()).unwrap_or_default();
        asks |= field.key.unescape() == "type" && value == br#""json_schema""#;
    });
    // What is odd about it is the upstream's to say.
    read.is_ok() && asks
}

#[cfg(test)]
mod tests;
