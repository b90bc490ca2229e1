//! Generates the sources of the crate from the schema: the messages and the clients with
//! tonic's generator, and a table of methods, lists and inventories.
//!
//! `generate SCHEMA OUT` reads `SCHEMA/descriptors.binpb` and writes Rust below OUT.
use heck::{ToSnakeCase, ToUpperCamelCase};
use prost::Message;
use prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto,
    field_descriptor_proto::{Label, Type},
    method_options::IdempotencyLevel,
};
use std::{collections::BTreeMap, env, error::Error, fmt::Write, fs, path::Path};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The response message size that the generated clients accept.
const LIMIT: &str = "crate::MESSAGE_LIMIT";

fn main() -> Result<()> {
    let args: Vec<String> = env::args().collect();
    let [_, schema, out] = &args[..] else { return Err("usage: generate SCHEMA OUT".into()) };
    let (schema, out) = (Path::new(schema), Path::new(out));
    let bytes = fs::read(schema.join("descriptors.binpb"))?;
    let set = FileDescriptorSet::decode(&*bytes)?;
    let schema = Schema::new(&set, &bytes)?;
    fs::create_dir_all(out)?;
    let mut stubs = tonic_prost_build::configure().build_server(false).build_transport(false).out_dir(out);
    stubs = stubs.include_file("mod.rs").emit_rerun_if_changed(false).skip_debug(schema.secret.keys());
    stubs.compile_fds(set.clone())?;
    let files = set.file.iter().filter(|file| !file.service.is_empty());
    raise_limits(out, files.clone())?;
    let mut table = String::from("// Generated from the schema.\n");
    schema.redact(&mut table)?;
    let mut pages = String::from("// Generated from the schema.\n");
    let mut methods = BTreeMap::new();
    for file in files {
        for service in &file.service {
            for method in &service.method {
                let path = format!("/{}.{}/{}", file.package(), service.name(), method.name());
                methods.insert(path, schema.method(file.package(), method)?);
                schema.list(file.package(), service.name(), method, &mut table)?;
                schema.inventory(file.package(), service.name(), method, &mut table, &mut pages)?;
            }
        }
    }
    writeln!(table, "pub(crate) static METHODS: &[(&str, crate::service::Method)] = &[")?;
    for (path, method) in methods {
        writeln!(table, "    ({path:?}, {method}),")?;
    }
    writeln!(table, "];")?;
    fs::write(out.join("table.rs"), table)?;
    fs::write(out.join("pages.rs"), pages)?;
    let mut bare = set.clone();
    bare.file.iter_mut().for_each(|file| file.source_code_info = None);
    fs::write(out.join("descriptors.binpb"), bare.encode_to_vec())?;
    Ok(())
}

/// Has each client's `new` accept messages of 64 MiB. tonic's default is 4 MiB.
fn raise_limits<'a>(out: &Path, files: impl Iterator<Item = &'a FileDescriptorProto>) -> Result<()> {
    let mut services = BTreeMap::<&str, usize>::new();
    for file in files {
        *services.entry(file.package()).or_default() += file.service.len();
    }
    for (package, count) in services {
        let path = out.join(format!("{package}.rs"));
        let text = fs::read_to_string(&path)?;
        let new = "let inner = tonic::client::Grpc::new(inner);";
        if text.matches(new).count() != count {
            return Err(format!("{package}: tonic's generator writes another `new`").into());
        }
        let raised = new.replace("(inner);", &format!("(inner).max_decoding_message_size({LIMIT});"));
        fs::write(path, text.replace(new, &raised))?;
    }
    Ok(())
}

struct Schema {
    /// All messages by full name, without the dot in front.
    messages: BTreeMap<String, DescriptorProto>,
    /// The fields of messages that no debug output may show: those with `debug_redact`.
    secret: BTreeMap<String, Vec<String>>,
    /// The cursors in place of which the last item's id stands, as `message.field`.
    or_last_item: Vec<String>,
}

impl Schema {
    fn new(set: &FileDescriptorSet, bytes: &[u8]) -> Result<Self> {
        let mut schema = Schema { messages: BTreeMap::new(), secret: BTreeMap::new(), or_last_item: Vec::new() };
        for file in &set.file {
            for message in &file.message_type {
                schema.add(file.package(), message);
            }
        }
        let options = options::Set::decode(bytes)?;
        for file in &options.file {
            for message in &file.message {
                schema.add_options(&file.package, message);
            }
        }
        Ok(schema)
    }

    fn add(&mut self, scope: &str, message: &DescriptorProto) {
        let name = format!("{scope}.{}", message.name());
        for nested in &message.nested_type {
            self.add(&name, nested);
        }
        self.messages.insert(name, message.clone());
    }

    fn add_options(&mut self, scope: &str, message: &options::Message) {
        let name = format!("{scope}.{}", message.name);
        for nested in &message.nested {
            self.add_options(&name, nested);
        }
        for field in &message.field {
            let Some(options) = &field.options else { continue };
            if options.debug_redact {
                self.secret.entry(name.clone()).or_default().push(field.name.clone());
            }
            if options.mapping.as_ref().is_some_and(|mapping| mapping.or_last_item) {
                self.or_last_item.push(format!("{name}.{}", field.name));
            }
        }
    }

    fn message(&self, name: &str) -> Result<&DescriptorProto> {
        self.messages.get(name.trim_start_matches('.')).ok_or_else(|| format!("no message {name}").into())
    }

    /// Debug implementations of the messages with secrets.
    fn redact(&self, out: &mut String) -> Result<()> {
        for (name, secret) in &self.secret {
            let message = self.message(name)?;
            writeln!(out, "impl std::fmt::Debug for {} {{", rust(name))?;
            writeln!(out, "    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {{")?;
            write!(out, "        f.debug_struct({:?})", message.name())?;
            for field in message.field.iter().filter(|field| !secret.iter().any(|name| name == field.name())) {
                if field.oneof_index.is_some() && !field.proto3_optional() {
                    return Err(format!("{name} has a oneof beside a secret").into());
                }
                write!(out, ".field({:?}, &self.{})", field.name(), ident(field.name()))?;
            }
            writeln!(out, ".finish_non_exhaustive()\n    }}\n}}")?;
        }
        Ok(())
    }

    /// The entry of a method in the table.
    fn method(&self, package: &str, method: &MethodDescriptorProto) -> Result<String> {
        if method.client_streaming() {
            return Err(format!("{} has a stream of requests", method.name()).into());
        }
        let level = method.options.as_ref().map(prost_types::MethodOptions::idempotency_level);
        let read = level == Some(IdempotencyLevel::NoSideEffects);
        let keyed = package == "admingateway.admin.v1" && !read;
        let has_id = string(self.message(method.input_type())?, "request_id").is_some();
        let id = match has_id {
            true => format!(
                "Some(|b| <{} as prost::Message>::decode(b).is_ok_and(|m| !m.request_id.is_empty()))",
                rust(method.input_type())
            ),
            false => "None".into(),
        };
        Ok(format!(
            "crate::service::Method {{ stream: {}, read: {read}, keyed: {keyed}, named: {id} }}",
            method.server_streaming()
        ))
    }

    /// The implementation of `Paged`, where a method is a list.
    fn list(&self, package: &str, service: &str, method: &MethodDescriptorProto, out: &mut String) -> Result<()> {
        let (request, response) = (self.message(method.input_type())?, self.message(method.output_type())?);
        let (after, page) = (string(request, "after"), string(request, "page"));
        let Some(data) = response.field.iter().find(|f| f.name() == "data" && f.label() == Label::Repeated) else {
            return Ok(());
        };
        let (Some(more), Some(cursor)) = (response.field.iter().find(|f| f.name() == "has_more"), after.or(page))
        else {
            return Ok(());
        };
        if after.is_some() && page.is_some() || data.r#type() != Type::Message {
            return Err(format!("{} is a list of an unknown style", method.name()).into());
        }
        let (next, last) = (string(response, "next"), string(response, "last_id"));
        let (cursor_of_page, only_more) = match page {
            Some(_) => (string(response, "next_page"), true),
            None => (next.or(last), next.is_some()),
        };
        let promised = cursor_of_page
            .is_some_and(|f| !self.or_last_item.contains(&format!("{}.{}", &method.output_type()[1..], f.name())));
        let mut expression = cursor_of_page.map_or("String::new()".into(), |f| owned("answer", f));
        if !promised {
            let id = string(self.message(data.type_name())?, "id").ok_or("a list without a cursor")?;
            expression = format!(
                "Some({expression}).filter(|next| !next.is_empty()).or_else(|| answer.data.last().map(|item| {})).unwrap_or_default()",
                owned("item", id)
            );
        }
        let before = string(request, "before").map_or("false".into(), |f| format!("!{}.is_empty()", owned("self", f)));
        let has_more = if more.proto3_optional() { "answer.has_more.unwrap_or_default()" } else { "answer.has_more" };
        let set = if cursor.proto3_optional() { "Some(cursor)" } else { "cursor" };
        writeln!(
            out,
            "impl crate::lists::Paged for {request} {{
    type Item = {item};
    const RESPONSE: &'static str = {name:?};
    fn backwards(&self) -> bool {{ {before} }}
    fn cursor(&self) -> String {{ {get} }}
    fn set_cursor(&mut self, cursor: String) {{ self.{field} = {set}; }}
    fn page(service: crate::Service, request: tonic::Request<Self>) -> futures_util::future::BoxFuture<'static, Result<crate::lists::Page<Self::Item>, tonic::Status>> {{
        Box::pin(async move {{
            let answer = {client}::new(service).{call}(request).await?.into_inner();
            Ok(crate::lists::Page {{ more: {has_more}, next: {expression}, only_more: {only_more}, items: answer.data }})
        }})
    }}
}}",
            request = rust(method.input_type()),
            item = rust(data.type_name()),
            name = &method.output_type()[1..],
            get = owned("self", cursor),
            field = ident(cursor.name()),
            client = client(package, service),
            call = ident(&method.name().to_snake_case()),
        )?;
        Ok(())
    }

    /// The implementation of `Inventoried`, where a method is an inventory.
    fn inventory(
        &self,
        package: &str,
        service: &str,
        method: &MethodDescriptorProto,
        out: &mut String,
        pages: &mut String,
    ) -> Result<()> {
        if !method.server_streaming() || string(self.message(method.input_type())?, "resume_token").is_none() {
            return Ok(());
        }
        let response = self.message(method.output_type())?;
        let event =
            format!("{}::{}", module(method.output_type()), response.oneof_decl[0].name().to_upper_camel_case());
        let own = ["progress", "failure", "end"];
        let items: Vec<_> = response.field.iter().filter(|f| !own.contains(&f.name())).collect();
        let mut page = rust(items[0].type_name());
        let mut arms = String::new();
        if let [items] = items[..] {
            let variant = items.name().to_upper_camel_case();
            write!(arms, "Some({event}::{variant}(page)) => crate::inventories::Event::Page(page),")?;
        } else {
            let name = format!("{}Page", method.name().to_upper_camel_case());
            page = format!("crate::pages::{name}");
            writeln!(
                pages,
                "/// A page of `{}`.\n#[derive(Clone, Debug, PartialEq)]\npub enum {name} {{",
                method.name()
            )?;
            for items in items {
                let variant = items.name().to_upper_camel_case();
                let path = rust(items.type_name());
                writeln!(pages, "    /// `{}` of the answer.\n    {variant}({path}),", items.name())?;
                write!(
                    arms,
                    "Some({event}::{variant}(page)) => crate::inventories::Event::Page({page}::{variant}(page)),"
                )?;
            }
            writeln!(pages, "}}")?;
        }
        writeln!(
            out,
            "impl crate::inventories::Inventoried for {request} {{
    type Page = {page};
    fn token(&self) -> &str {{ &self.resume_token }}
    fn set_token(&mut self, token: String) {{ self.resume_token = token; }}
    fn open(service: crate::Service, request: tonic::Request<Self>) -> futures_util::future::BoxFuture<'static, Result<crate::inventories::Messages<Self::Page>, tonic::Status>> {{
        Box::pin(async move {{
            let stream = {client}::new(service).{call}(request).await?.into_inner();
            Ok(futures_util::StreamExt::boxed(futures_util::StreamExt::map(stream, |message| Ok(match message?.{field} {{
                Some({event}::Progress(progress)) => crate::inventories::Event::Progress(progress),
                Some({event}::Failure(failure)) => crate::inventories::Event::Failure(failure),
                Some({event}::End(end)) => crate::inventories::Event::End(end),
                {arms}
                None => crate::inventories::Event::Unknown,
            }}))))
        }})
    }}
}}",
            request = rust(method.input_type()),
            client = client(package, service),
            call = ident(&method.name().to_snake_case()),
            field = ident(response.oneof_decl[0].name()),
        )?;
        Ok(())
    }
}

/// The string field of a name.
fn string<'a>(message: &'a DescriptorProto, name: &str) -> Option<&'a FieldDescriptorProto> {
    let mut fields = message.field.iter();
    fields.find(|f| f.name() == name && f.r#type() == Type::String && f.label() != Label::Repeated)
}

/// An expression with the value of a string field.
fn owned(of: &str, field: &FieldDescriptorProto) -> String {
    let default = if field.proto3_optional() { ".unwrap_or_default()" } else { "" };
    format!("{of}.{}.clone(){default}", ident(field.name()))
}

/// The name of a field or a function, as prost writes it.
fn ident(name: &str) -> String {
    if ["type", "match", "move", "ref", "use", "where"].contains(&name) { format!("r#{name}") } else { name.into() }
}

/// The path of a message's type.
fn rust(name: &str) -> String {
    let (scope, name) = name.rsplit_once('.').unwrap_or(("", name));
    format!("{}::{}", scope_of(scope), name.to_upper_camel_case())
}

/// The path of the module with the types that are nested in a message.
fn module(name: &str) -> String {
    scope_of(name)
}

fn scope_of(scope: &str) -> String {
    scope
        .trim_start_matches('.')
        .split('.')
        .fold("crate::proto".into(), |path, part| format!("{path}::{}", part.to_snake_case()))
}

/// The path of a service's client.
fn client(package: &str, service: &str) -> String {
    format!("{}::{}_client::{}Client", scope_of(package), service.to_snake_case(), service.to_upper_camel_case())
}

/// What the descriptors say in options that prost-types does not decode.
mod options {
    #[derive(prost::Message)]
    pub struct Set {
        #[prost(message, repeated, tag = "1")]
        pub file: Vec<File>,
    }

    #[derive(prost::Message)]
    pub struct File {
        #[prost(string, tag = "2")]
        pub package: String,
        #[prost(message, repeated, tag = "4")]
        pub message: Vec<Message>,
    }

    #[derive(prost::Message)]
    pub struct Message {
        #[prost(string, tag = "1")]
        pub name: String,
        #[prost(message, repeated, tag = "2")]
        pub field: Vec<Field>,
        #[prost(message, repeated, tag = "3")]
        pub nested: Vec<Message>,
    }

    #[derive(prost::Message)]
    pub struct Field {
        #[prost(string, tag = "1")]
        pub name: String,
        #[prost(message, optional, tag = "8")]
        pub options: Option<Options>,
    }

    #[derive(prost::Message)]
    pub struct Options {
        #[prost(bool, tag = "16")]
        pub debug_redact: bool,
        #[prost(message, optional, tag = "51190")]
        pub mapping: Option<Mapping>,
    }

    #[derive(prost::Message)]
    pub struct Mapping {
        #[prost(bool, tag = "8")]
        pub or_last_item: bool,
    }
}
