//! What a request needs of a model, against what a deployment's model takes.

use crate::Reason;
use weir_core::{Class, Fault, Needs};

/// What a deployment's model takes, as far as it was stated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Takes {
    /// What it takes beside text; `None` for everything.
    pub needs: Option<Needs>,
    /// The most tokens of prompt and answer together.
    pub context_window: Option<u32>,
    /// The most tokens of a prompt alone.
    pub max_input: Option<u32>,
    /// The most tokens of an answer.
    pub max_output: Option<u32>,
}

/// What a request needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// What it uses beside text.
    pub needs: Needs,
    /// The prompt, in tokens as estimated.
    pub prompt_tokens: u64,
    /// The most tokens of an answer it asks for.
    pub output_tokens: Option<u64>,
}

impl Takes {
    /// Whether nothing was stated, so that everything fits.
    pub fn everything(&self) -> bool {
        *self == Takes::default()
    }

    /// Why a request does not fit; `None` when it does.
    pub fn refuse(&self, size: &Size) -> Option<Reason> {
        if let Some(need) = self.needs.and_then(|takes| takes.first_missing(size.needs)) {
            return Some(Reason::Lacks(need));
        }
        let output = size.output_tokens.unwrap_or(0);
        let whole = size.prompt_tokens.saturating_add(output);
        if self.context_window.is_some_and(|most| whole > u64::from(most))
            || self.max_input.is_some_and(|most| size.prompt_tokens > u64::from(most))
        {
            return Some(Reason::ContextTooSmall);
        }
        self.max_output.is_some_and(|most| output > u64::from(most)).then_some(Reason::OutputTooSmall)
    }
}

/// The fault a client gets when no deployment of a model takes the request, by why each of them does not. `None` when one
/// does, or there is none. What most of them lack is what is told.
pub fn nobody_fits(model: &str, size: &Size, why: impl Iterator<Item = Option<Reason>>) -> Option<Fault> {
    let why = why.collect::<Option<Vec<Reason>>>()?;
    let often = |reason: &Reason| why.iter().filter(|other| *other == reason).count();
    let most = *why.iter().max_by_key(|reason| often(reason))?;
    let all = why.len();
    let count = if often(&most) == all { "no deployment" } else { "no single deployment" };
    let (prompt, output) = (size.prompt_tokens, size.output_tokens.unwrap_or(0));
    Some(match most {
        Reason::Lacks(need) => {
            let need = need.name();
            let message = format!(
                "{count} of the model \"{model}\" takes {need}; leave that out or ask for another model"
            );
            Fault::new(Class::Caller, 400, "capability_not_supported", message)
        }
        Reason::ContextTooSmall => {
            let message = format!(
                "{count} of the model \"{model}\" has room for this prompt of about {prompt} tokens and {output} of answer; \
                 shorten it or ask for another model"
            );
            Fault::new(Class::ContextWindow, 400, "context_length_exceeded", message).with_param("messages")
        }
        _ => {
            let message =
                format!("{count} of the model \"{model}\" answers with up to {output} tokens; ask for fewer");
            Fault::new(Class::Caller, 400, "max_tokens_too_large", message).with_param("max_tokens")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_core::Need;

    const IMAGES: Needs = {
        let mut needs = Needs::NONE;
        needs.add(Need::Images);
        needs
    };
    const SIZE: Size = Size { needs: IMAGES, prompt_tokens: 900, output_tokens: Some(100) };

    fn takes(needs: Option<&[Need]>, context_window: Option<u32>, max_output: Option<u32>) -> Takes {
        let needs = needs.map(|all| all.iter().copied().collect());
        Takes { needs, context_window, max_input: None, max_output }
    }

    #[track_caller]
    fn check(takes: Takes, expect: Option<Reason>) {
        assert_eq!(takes.refuse(&SIZE), expect, "{takes:?}");
    }

    #[test]
    fn a_request_fits_or_says_why_not() {
        assert!(takes(None, None, None).everything());
        check(takes(None, None, None), None);
        check(takes(Some(&[Need::Images, Need::Tools]), Some(1000), Some(100)), None);
        check(takes(Some(&[Need::Tools]), None, None), Some(Reason::Lacks(Need::Images)));
        check(takes(Some(&[]), None, None), Some(Reason::Lacks(Need::Images)));
        check(takes(None, Some(999), None), Some(Reason::ContextTooSmall));
        check(takes(None, None, Some(99)), Some(Reason::OutputTooSmall));
        check(Takes { max_input: Some(900), ..Takes::default() }, None);
        check(Takes { max_input: Some(899), ..Takes::default() }, Some(Reason::ContextTooSmall));
    }

    #[test]
    fn what_nobody_takes_is_told() {
        let told = |why: &[Option<Reason>]| nobody_fits("m", &SIZE, why.iter().copied());
        let lacks = Some(Reason::Lacks(Need::Images));
        assert!(told(&[lacks, None]).is_none() && told(&[]).is_none());
        let fault = told(&[lacks, Some(Reason::ContextTooSmall), lacks]).unwrap();
        assert_eq!((fault.status, fault.code.as_deref()), (400, Some("capability_not_supported")));
        assert!(fault.message.contains("images"), "{}", fault.message);
        let fault = told(&[Some(Reason::ContextTooSmall)]).unwrap();
        assert_eq!(
            (fault.class, fault.code.as_deref()),
            (Class::ContextWindow, Some("context_length_exceeded"))
        );
        assert!(fault.message.contains("about 900 tokens and 100"), "{}", fault.message);
        let fault = told(&[Some(Reason::OutputTooSmall)]).unwrap();
        assert_eq!(fault.code.as_deref(), Some("max_tokens_too_large"));
    }
}
