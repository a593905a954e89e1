//! The paths that a module names.

use std::collections::BTreeMap;
use std::iter::Peekable;

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};

use super::super::tokens;

/// A module, by its path from the crate's root.
pub(super) type Module = Vec<String>;

type Tokens = Peekable<proc_macro2::token_stream::IntoIter>;

/// What a module names.
#[derive(Debug, Default)]
pub(super) struct Named {
    /// Paths that lead out of it, from the crate's root.
    pub(super) paths: Vec<Vec<String>>,
    /// What its `use`s bring in, by the name that it has here.
    imports: BTreeMap<String, Vec<String>>,
}

impl Named {
    pub(super) fn extend(&mut self, other: Self) {
        self.paths.extend(other.paths);
        self.imports.extend(other.imports);
    }
}

/// The module that a file of a crate is: `a/mod.rs` and `a.rs` are `a`.
pub(super) fn module_of(file: &str) -> Module {
    let mut module: Module = file.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if module.last().is_some_and(|name| matches!(&**name, "mod" | "lib" | "main")) {
        module.pop();
    }
    module
}

/// What a file names, and each module that it has in braces.
pub(super) fn named(module: &Module, text: &str) -> BTreeMap<Module, Named> {
    let mut found = BTreeMap::new();
    read(module, tokens::of(text), &mut found);
    found
}

fn read(module: &Module, tokens: TokenStream, found: &mut BTreeMap<Module, Named>) {
    found.entry(module.clone()).or_default();
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Group(group) => read(module, group.stream(), found),
            TokenTree::Ident(word) if word == "mod" => {
                let Some(TokenTree::Ident(name)) = tokens.next() else { continue };
                if let Some(TokenTree::Group(inside)) =
                    tokens.next_if(|next| matches!(next, TokenTree::Group(_)))
                {
                    let inner = [module.clone(), vec![name.to_string()]].concat();
                    read(&inner, inside.stream(), found);
                }
            }
            TokenTree::Ident(word) if word == "use" => {
                let mut leaves = Vec::new();
                tree(&mut tokens, Vec::new(), &mut leaves);
                let named = found.entry(module.clone()).or_default();
                for (path, name) in leaves {
                    let leaves_it = matches!(path.first().map(String::as_str), Some("crate" | "super"));
                    let path = absolute(module, path);
                    named.imports.insert(name, path.clone());
                    if leaves_it {
                        named.paths.push(path);
                    }
                }
            }
            TokenTree::Ident(word) if (word == "crate" || word == "super") && continues(&mut tokens) => {
                let mut leaves = Vec::new();
                tree(&mut tokens, vec![word.to_string()], &mut leaves);
                let paths = leaves.into_iter().map(|(path, _)| absolute(module, path));
                found.entry(module.clone()).or_default().paths.extend(paths);
            }
            TokenTree::Ident(_) | TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}

/// Takes a `::`, if that comes next.
fn continues(tokens: &mut Tokens) -> bool {
    let is_colon = |token: &TokenTree| matches!(token, TokenTree::Punct(sign) if sign.as_char() == ':');
    let joint =
        |token: &TokenTree| matches!(token, TokenTree::Punct(sign) if sign.spacing() == Spacing::Joint);
    tokens.next_if(|next| is_colon(next) && joint(next)).is_some() && tokens.next_if(is_colon).is_some()
}

/// Reads on after `path`, as in a `use`: every path that is named, with the name that it is given.
fn tree(tokens: &mut Tokens, mut path: Vec<String>, leaves: &mut Vec<(Vec<String>, String)>) {
    loop {
        match tokens.next() {
            Some(TokenTree::Ident(word)) => path.push(word.to_string()),
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                let mut inside = group.stream().into_iter().peekable();
                while inside.peek().is_some() {
                    tree(&mut inside, path.clone(), leaves);
                    inside.next_if(|next| matches!(next, TokenTree::Punct(comma) if comma.as_char() == ','));
                }
                return;
            }
            // A glob, or type arguments.
            _ => return leaves.push((path, "*".to_owned())),
        }
        if continues(tokens) {
            continue;
        }
        if path.last().is_some_and(|last| last == "self") {
            path.pop();
        }
        let mut name = path.last().cloned().unwrap_or_default();
        if tokens.next_if(|next| matches!(next, TokenTree::Ident(word) if word == "as")).is_some() {
            name = tokens.next().map(|name| name.to_string()).unwrap_or_default();
        }
        return leaves.push((path, name));
    }
}

/// The path from the crate's root. One that begins with another crate's name then leads nowhere.
fn absolute(module: &[String], path: Vec<String>) -> Vec<String> {
    let mut base = module.to_vec();
    let mut rest = path.into_iter().peekable();
    while let Some(word) = rest.next_if(|word| matches!(&**word, "crate" | "super" | "self")) {
        match &*word {
            "crate" => base.clear(),
            "super" => drop(base.pop()),
            _ => {}
        }
    }
    base.extend(rest);
    base
}

/// The module that a path leads to.
pub(super) fn resolve(path: &[String], modules: &BTreeMap<Module, Named>) -> Module {
    let mut path = path.to_vec();
    // As many steps as re-exports may follow each other.
    for _ in 0..8 {
        let is_module = |length: &usize| modules.contains_key(&path[..*length]);
        let length = (0..=path.len()).take_while(is_module).last().unwrap_or_default();
        let module = &path[..length];
        let import = path.get(length).and_then(|name| modules.get(module)?.imports.get(name));
        match import {
            Some(import) => path = [import, &path[length + 1..]].concat(),
            None => return module.to_vec(),
        }
    }
    Module::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(text: &str) -> Vec<String> {
        let found = named(&vec!["a".to_owned(), "b".to_owned()], text);
        found.values().flat_map(|named| &named.paths).map(|path| path.join("::")).collect()
    }

    #[test]
    fn files_are_modules() {
        for (file, module) in [("lib.rs", ""), ("a.rs", "a"), ("a/mod.rs", "a"), ("a/b.rs", "a::b")] {
            assert_eq!(module_of(file).join("::"), module);
        }
    }

    #[test]
    fn paths_are_found_wherever_they_stand() {
        for (text, expected) in [
            ("use crate::x::Y;", &["x::Y"][..]),
            ("pub(crate) use super::{c, d::{self, E as F, *}};", &["a::c", "a::d", "a::d::E", "a::d"]),
            ("fn f() { vec![super::super::x::g::<u8>()] }", &["x::g"]),
            ("mod inner { use super::Y; use super::super::z; }", &["a::b::Y", "a::z"]),
            ("use std::fmt; use self::c::D; pub(super) struct S; // use crate::x;", &[]),
        ] {
            assert_eq!(paths(text), expected, "{text}");
        }
    }
}
