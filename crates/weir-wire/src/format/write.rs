//! What writers of all formats share.

/// Puts the members of one object's text behind those of another that is complete.
pub(super) fn merge(out: &mut Vec<u8>, extra: &str) {
    let inner = extra.trim().strip_prefix('{').and_then(|text| text.strip_suffix('}')).map(str::trim);
    if let Some(inner) = inner.filter(|inner| !inner.is_empty()) {
        out.pop();
        out.push(b',');
        out.extend_from_slice(inner.as_bytes());
        out.push(b'}');
    }
}
