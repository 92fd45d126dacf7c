//! Everything the Hub has: repositories, the names they once had, tokens, and the objects behind the CDN.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::access::Visitor;
use super::content::Content;
use super::refusal::HubRefusal;
use super::repository::{Repository, RepositoryKind, Storage, Stored, XetKept, XetName};
use super::xet_store::TestXetStore;

/// Everything the Hub has.
#[derive(Debug, Default)]
pub(super) struct Catalogue {
    repositories: BTreeMap<(RepositoryKind, String), Repository>,
    /// Old names to new ones, for every kind.
    renamed: BTreeMap<String, String>,
    /// Tokens that the Hub has given to an account.
    pub(super) tokens: BTreeSet<String>,
    /// CDN paths to what lies there.
    objects: HashMap<String, Arc<Stored>>,
    pub(super) xet: TestXetStore,
}

/// What an id leads to.
pub(super) enum CatalogueMatch<'a> {
    Here(&'a Repository),
    /// Renamed, or written in other letters' case.
    Elsewhere(String),
}

impl Catalogue {
    /// Follows an id as the Hub does for a visitor who may list what it finds.
    pub(super) fn find(
        &self,
        kind: RepositoryKind,
        id: &str,
        visitor: &Visitor,
    ) -> Result<CatalogueMatch<'_>, HubRefusal> {
        if let Some(repository) = self.repositories.get(&(kind, id.to_owned())) {
            repository.access.may_list(visitor)?;
            return Ok(CatalogueMatch::Here(repository));
        }
        let renamed = self.renamed.get(id).and_then(|id| self.repositories.get(&(kind, id.clone())));
        let same_letters =
            |repository: &&Repository| repository.kind == kind && repository.id.eq_ignore_ascii_case(id);
        let repository = renamed
            .or_else(|| self.repositories.values().find(same_letters))
            .ok_or_else(|| HubRefusal::no_repository(visitor))?;
        repository.access.may_list(visitor)?;
        Ok(CatalogueMatch::Elsewhere(repository.id.clone()))
    }

    /// The repository itself, made if it is new.
    pub(super) fn repository(&mut self, kind: RepositoryKind, id: &str) -> &mut Repository {
        self.repositories.entry((kind, id.to_owned())).or_insert_with(|| Repository::new(kind, id))
    }

    /// Gives a repository another name, or lets a name that never was lead to it.
    pub(super) fn rename(&mut self, old: &str, new: &str) {
        for kind in [RepositoryKind::Model, RepositoryKind::Dataset] {
            if let Some(mut repository) = self.repositories.remove(&(kind, old.to_owned())) {
                new.clone_into(&mut repository.id);
                self.repositories.insert((kind, new.to_owned()), repository);
            }
        }
        for target in self.renamed.values_mut().filter(|target| *target == old) {
            new.clone_into(target);
        }
        self.renamed.insert(old.to_owned(), new.to_owned());
    }

    /// Makes the CDN have a file.
    pub(super) fn shelve(&mut self, file: &Arc<Stored>) {
        let Storage::Lfs { address, xet, .. } = &file.storage else { return };
        self.objects.insert(address.clone(), Arc::clone(file));
        if let Some(XetName { hash, kept: XetKept::Here }) = xet {
            for (path, bytes) in self.xet.add(hash, &file.content) {
                let xorb = Stored::xorb(&path, Content::bytes(bytes));
                self.objects.insert(path, Arc::new(xorb));
            }
        }
    }

    /// All paths of the CDN, with what lies there.
    pub(super) fn objects(&self) -> Vec<(String, Content)> {
        self.objects.iter().map(|(address, file)| (address.clone(), file.content.clone())).collect()
    }

    /// What lies at a path of the CDN.
    pub(super) fn object(&self, address: &str) -> Option<Arc<Stored>> {
        self.objects.get(address).cloned()
    }
}
