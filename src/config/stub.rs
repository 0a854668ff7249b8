//! To be replaced by `decode`.
use super::{At, ByteSize, Named, Span, Tree, file::*};
use serde::{Deserialize, Deserializer};
macro_rules! stub { ($($t:ty),*) => { $(impl<'de> Deserialize<'de> for $t { fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> { todo!() } })* } }
stub!(Tree, Span, ByteSize, Choice, Expectation, Dedup, Filter);
impl<'de, T: Deserialize<'de>> Deserialize<'de> for At<T> {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        todo!()
    }
}
impl<'de, T: Deserialize<'de>> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        todo!()
    }
}
impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        todo!()
    }
}
