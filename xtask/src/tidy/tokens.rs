//! Rust source as tokens, without its tests.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// The tokens of a file, without what is only compiled for tests; none if it is not Rust.
pub(super) fn of(text: &str) -> TokenStream {
    text.parse().map(without_tests).unwrap_or_default()
}

fn without_tests(tokens: TokenStream) -> TokenStream {
    let mut kept = Vec::new();
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(sign) if sign.as_char() == '#' && tokens.peek().is_some_and(is_for_tests) => {
                let is_end = |token: &TokenTree| match token {
                    TokenTree::Punct(sign) => sign.as_char() == ';',
                    TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
                    TokenTree::Ident(_) | TokenTree::Literal(_) => false,
                };
                let _the_item = tokens.find(is_end);
            }
            TokenTree::Group(group) => {
                kept.push(Group::new(group.delimiter(), without_tests(group.stream())).into());
            }
            other => kept.push(other),
        }
    }
    kept.into_iter().collect()
}

fn is_for_tests(attribute: &TokenTree) -> bool {
    let text: String = attribute.to_string().split_whitespace().collect();
    text == "[cfg(test)]" || text.starts_with("[cfg(all(test,")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_for_tests_is_left_out() {
        let text = "//! x\nfn a() {}\n#[cfg(test)]\nmod tests { fn b() {} }\nmod c { #[cfg(test)] use d; fn e() {} }\n\
                    #[cfg(all(test, unix))] mod f;\nfn g() {}";
        let found = of(text).to_string();
        for (name, is_kept) in
            [("a", true), ("b", false), ("d", false), ("e", true), ("f", false), ("g", true)]
        {
            assert_eq!(found.split([' ', ';', '(']).any(|word| word == name), is_kept, "{name}: {found}");
        }
    }
}
