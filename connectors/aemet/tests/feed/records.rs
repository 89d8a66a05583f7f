//! From payloads to records: keys, values, offsets, headers, times, charsets, names

use weir_aemet::aemet_config::KeyForm;
use weir_aemet::names::Names;
use weir_aemet::product::Product;
use weir_aemet::records::mapper::Mapper;
use weir_feed::charset::Charset;
use weir_feed::testing::{Played, commit, poll_all, poll_until_records};
use weir_sdk::api::data::schema::{Schema, SchemaType};
use weir_sdk::api::data::text::push_text;
use weir_sdk::api::data::validate::validate_value;
use weir_sdk::api::data::value::Value;
use weir_sdk::api::record::SourceRecord;
use weir_sdk::log::Level;
use weir_sdk::testing::Piece;

use crate::support::{KEY, config, envelope, field, header, is_data, lines, restarted, serving, started, value};

const OBSERVATIONS: &str = include_str!("../payloads/observations.json");
const DAILY: &str = include_str!("../payloads/daily_forecast.json");
const HOURLY: &str = include_str!("../payloads/hourly_forecast.json");
const CLIMATE: &str = include_str!("../payloads/climate.json");

fn text(value: &Value) -> String {
    let mut out = String::new();
    push_text(&mut out, None, value).expect("printable");
    out
}

/// Key, timestamp and value of records, checked against their schemas.
fn shown(records: &[SourceRecord]) -> Vec<String> {
    let mut shown = Vec::new();
    for record in records {
        for part in [&record.key, &record.value] {
            validate_value(part.schema.as_deref().expect("a schema"), &part.value).expect("fits its schema");
        }
        let timestamp = record.timestamp.unwrap_or_default();
        shown.push(format!(
            "{} @{timestamp} {}",
            text(&record.key.value),
            text(&record.value.value)
        ));
    }
    shown
}

fn records_of(pairs: &[(&str, &str)], body: &str) -> Vec<SourceRecord> {
    let (mut task, _) = started(&config(pairs), serving(body));
    poll_until_records(&mut task, 5).expect("no failure")
}

#[test]
fn observations_become_records() {
    let records = records_of(&[], OBSERVATIONS);
    assert_eq!(
        shown(&records),
        [
            "9999X @1795183200000 Struct{idema=9999X,fint=Fri Nov 20 14:00:00 UTC 2026,ubi=LA CAÑADA, BAHÍA,lon=-3.7,lat=40.4,alt=650.0,prec=0.0,vv=2.4,vmax=6.1,dv=215.0,dmax=220.0,stdvv=0.4,stddv=9.0,ta=14.6,tamin=13.9,tamax=14.9,tpr=7.2,ts=15.2,tss5cm=12.1,hr=61.0,pres=941.2,pres_nmar=1016.8,vis=20.0,inso=0.8,pacutp=0.0,extra={}}",
            "0001B @1795186800000 Struct{idema=0001B,fint=Fri Nov 20 15:00:00 UTC 2026,ubi=PUERTO DE PRUEBA,lon=2.1,lat=41.3,alt=5.0,ta=16.0,extra={}}",
            "9999X @1795186800000 Struct{idema=9999X,fint=Fri Nov 20 15:00:00 UTC 2026,ubi=LA CAÑADA, BAHÍA,lon=-3.7,lat=40.4,alt=650.0,prec=0.2,ta=13.8,tamin=13.7,tamax=14.6,tpr=8.4,hr=70.0,extra={}}",
        ]
    );
    let last = records.last().expect("three records");
    assert_eq!(last.topic, "weather");
    assert_eq!(
        last.source_partition.as_deref(),
        Some(r#"{"feed":"aemet","product":"observacion","station":"9999X"}"#)
    );
    let offset = last.source_offset.as_deref().expect("an offset");
    assert!(
        offset.starts_with(r#"{"fint":"2026-11-20T15:00:00Z","h":""#),
        "{offset}"
    );
    let headers: Vec<String> = last.headers.iter().map(|each| each.name.clone()).collect();
    assert_eq!(headers, ["feed.name", "feed.endpoint", "feed.fetched.at", "feed.page"]);
    for (name, expected) in [
        ("feed.name", "aemet"),
        ("feed.endpoint", "/opendata/api/observacion/convencional/todas"),
        ("feed.fetched.at", "2026-11-20T15:30:00Z"),
        ("feed.page", "0"),
    ] {
        assert_eq!(header(last, name).as_deref(), Some(expected));
    }
}

#[test]
fn unknown_fields_and_words_go_into_extra() {
    let body = r#"[{"idema":"A","fint":"2026-11-20T15:00:00","prec":"Ip","ta":"rota","hr":"61,5","nuevo":3,"texto":"x","nada":null,"lista":[1]}]"#;
    assert_eq!(
        shown(&records_of(&[], body)),
        [
            "A @1795186800000 Struct{idema=A,fint=Fri Nov 20 15:00:00 UTC 2026,prec=0.0,hr=61.5,extra={lista=[1], nuevo=3, prec_raw=Ip, ta_raw=rota, texto=x}}"
        ]
    );
}

#[test]
fn daily_forecasts_become_records() {
    let pairs = [("aemet.product", "prediccion_diaria"), ("aemet.municipios", "id01059")];
    let records = records_of(&pairs, DAILY);
    assert_eq!(
        shown(&records),
        [
            "01059 @1795172040000 Struct{municipio=01059,nombre=Villaprueba,provincia=Araba/Álava,elaborado=Fri Nov 20 10:54:00 UTC 2026,dias=[\
             Struct{fecha=Fri Nov 20 00:00:00 UTC 2026,temp_max=9,temp_min=-2,sens_max=8,sens_min=-5,hr_max=95,hr_min=60,uv_max=1,periodos=[\
             Struct{periodo=00-24,prob_precipitacion=30,cielo=13,cielo_desc=Intervalos nubosos,viento_dir=C,viento_vel=0}, \
             Struct{periodo=12-24,prob_precipitacion=5,cota_nieve=600}]}, \
             Struct{fecha=Thu Nov 26 00:00:00 UTC 2026,temp_max=7,temp_min=-4,sens_max=6,sens_min=-7,hr_max=90,hr_min=55,periodos=[\
             Struct{periodo=00-24,prob_precipitacion=0,cielo=12,cielo_desc=Poco nuboso,viento_dir=N,viento_vel=5}]}]}"
        ]
    );
    let record = records.first().expect("one record");
    assert_eq!(
        record.source_partition.as_deref(),
        Some(r#"{"feed":"aemet","product":"prediccion_diaria","municipio":"01059"}"#)
    );
    let offset = record.source_offset.as_deref().expect("an offset");
    assert!(
        offset.starts_with(r#"{"elaborado":"2026-11-20T11:54:00","h":""#),
        "{offset}"
    );
}

#[test]
fn hourly_forecasts_become_records() {
    let pairs = [("aemet.product", "prediccion_horaria"), ("aemet.municipios", "01059")];
    assert_eq!(
        shown(&records_of(&pairs, HOURLY)),
        [
            "01059 @1795150440000 Struct{municipio=01059,nombre=Villaprueba,provincia=Araba/Álava,elaborado=Fri Nov 20 04:54:00 UTC 2026,horas=[\
             Struct{hora=Fri Nov 20 06:00:00 UTC 2026,temp=0,precipitacion=0.0,cielo=11n,cielo_desc=Despejado,viento_dir=NE,viento_vel=28,racha_max=41}, \
             Struct{hora=Fri Nov 20 07:00:00 UTC 2026,precipitacion=0.3}],tramos=[\
             Struct{desde=Fri Nov 20 00:00:00 UTC 2026,hasta=Fri Nov 20 06:00:00 UTC 2026}, \
             Struct{desde=Fri Nov 20 06:00:00 UTC 2026,hasta=Fri Nov 20 12:00:00 UTC 2026,prob_precipitacion=100,prob_tormenta=0}, \
             Struct{desde=Fri Nov 20 18:00:00 UTC 2026,hasta=Sat Nov 21 00:00:00 UTC 2026,prob_precipitacion=5}]}"
        ]
    );
}

#[test]
fn climatology_becomes_records() {
    let pairs = [
        ("aemet.product", "climatologia_diaria"),
        ("aemet.stations", "9999X"),
        ("aemet.start.date", "2026-11-10"),
    ];
    let records = records_of(&pairs, CLIMATE);
    assert_eq!(
        shown(&records),
        [
            "9999X @1794614400000 Struct{fecha=Sat Nov 14 00:00:00 UTC 2026,indicativo=9999X,nombre=LA CAÑADA,provincia=MADRID,altitud=650,tmed=10.4,tmin=4.1,tmax=16.7,prec=0.0,velmedia=2.2,racha=9.4,hrMedia=66.0,dir=21.0,horatmin=06:50,horatmax=Varias,horaracha=15:10,flags={prec=Ip}}",
            "9999X @1794700800000 Struct{fecha=Sun Nov 15 00:00:00 UTC 2026,indicativo=9999X,nombre=LA CAÑADA,provincia=MADRID,altitud=650,flags={prec=Acum}}",
        ]
    );
    let record = records.last().expect("two records");
    assert_eq!(
        header(record, "feed.endpoint").as_deref(),
        Some(
            "/opendata/api/valores/climatologicos/diarios/datos/fechaini/2026-11-10T00:00:00UTC/fechafin/2026-11-20T23:59:59UTC/estacion/9999X"
        )
    );
    let offset = record.source_offset.as_deref().expect("an offset");
    assert!(offset.starts_with(r#"{"fecha":"2026-11-15","h":""#), "{offset}");
    // The schema has no place for what is not known: that is said, not hidden.
    assert_eq!(field("part"), ["unknown field sensacion"]);
}

/// A schema as `name{field type, …}`; `?` is optional.
fn described(schema: &Schema) -> String {
    let optional = if schema.optional { "?" } else { "" };
    let short = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
    let element = |part: &Option<std::sync::Arc<Schema>>| part.as_deref().map(described).unwrap_or_default();
    let body = match (schema.base, &schema.name) {
        (SchemaType::Struct, Some(name)) => {
            let fields: Vec<String> = schema
                .fields
                .iter()
                .map(|field| format!("{} {}", field.name, described(&field.schema)))
                .collect();
            format!(
                "{}{{{}}}",
                name.trim_start_matches("weir.feeds.aemet."),
                fields.join(", ")
            )
        }
        (SchemaType::Array, _) => format!("[{}]", element(&schema.value)),
        (SchemaType::Map, _) => format!("<{}, {}>", element(&schema.key), element(&schema.value)),
        (base, name) => name.as_deref().map_or_else(|| base.as_str().to_lowercase(), short),
    };
    format!("{body}{optional}")
}

#[test]
fn schemas_are_those_that_were_promised() {
    for (pairs, body, expected) in [
        (
            vec![],
            OBSERVATIONS,
            "Observation{idema string, fint Timestamp, ubi string?, lon float64?, lat float64?, alt float64?, prec float64?, vv float64?, vmax float64?, dv float64?, dmax float64?, stdvv float64?, stddv float64?, vvu float64?, vmaxu float64?, dvu float64?, dmaxu float64?, stdvvu float64?, stddvu float64?, ta float64?, tamin float64?, tamax float64?, tpr float64?, ts float64?, tss5cm float64?, tss20cm float64?, hr float64?, pres float64?, pres_nmar float64?, vis float64?, inso float64?, nieve float64?, pacutp float64?, psoltp float64?, pliqt float64?, rviento float64?, geo700 float64?, geo850 float64?, geo925 float64?, extra <string, string>}",
        ),
        (
            vec![("aemet.product", "prediccion_diaria"), ("aemet.municipios", "01059")],
            DAILY,
            "DailyForecast{municipio string, nombre string, provincia string, elaborado Timestamp, dias [DailyForecastDay{fecha Date, temp_max int32?, temp_min int32?, sens_max int32?, sens_min int32?, hr_max int32?, hr_min int32?, uv_max int32?, periodos [DailyForecastPeriod{periodo string, prob_precipitacion int32?, cota_nieve int32?, cielo string?, cielo_desc string?, viento_dir string?, viento_vel int32?, racha_max int32?}]}]}",
        ),
        (
            vec![("aemet.product", "prediccion_horaria"), ("aemet.municipios", "01059")],
            HOURLY,
            "HourlyForecast{municipio string, nombre string, provincia string, elaborado Timestamp, horas [HourlyForecastHour{hora Timestamp, temp int32?, sens int32?, hr int32?, precipitacion float64?, nieve float64?, cielo string?, cielo_desc string?, viento_dir string?, viento_vel int32?, racha_max int32?}], tramos [HourlyForecastSpan{desde Timestamp, hasta Timestamp, prob_precipitacion int32?, prob_tormenta int32?, prob_nieve int32?}]}",
        ),
        (
            vec![("aemet.product", "climatologia_diaria"), ("aemet.stations", "9999X")],
            CLIMATE,
            "DailyClimate{fecha Date, indicativo string, nombre string, provincia string, altitud int32?, tmed float64?, tmin float64?, tmax float64?, prec float64?, velmedia float64?, racha float64?, sol float64?, presMax float64?, presMin float64?, hrMedia float64?, hrMax float64?, hrMin float64?, dir float64?, horatmin string?, horatmax string?, horaracha string?, horaPresMax string?, horaPresMin string?, horaHrMax string?, horaHrMin string?, flags <string, string>}",
        ),
    ] {
        let records = records_of(&pairs, body);
        let schema = records.first().and_then(|record| record.value.schema.clone());
        let schema = schema.expect("a record with a schema");
        assert!(
            schema
                .name
                .as_deref()
                .is_some_and(|name| name.starts_with("weir.feeds.aemet."))
        );
        assert_eq!(described(&schema), expected);
    }
}

#[test]
fn keys_may_hold_the_time_as_well() {
    for (pairs, body, expected) in [
        (
            vec![],
            OBSERVATIONS,
            "Struct{idema=9999X,fint=Fri Nov 20 14:00:00 UTC 2026}",
        ),
        (
            vec![("aemet.product", "prediccion_diaria"), ("aemet.municipios", "1059")],
            DAILY,
            "Struct{municipio=01059,elaborado=Fri Nov 20 10:54:00 UTC 2026}",
        ),
        (
            vec![("aemet.product", "climatologia_diaria"), ("aemet.stations", "9999X")],
            CLIMATE,
            "Struct{indicativo=9999X,fecha=Sat Nov 14 00:00:00 UTC 2026}",
        ),
    ] {
        let mut pairs = pairs;
        pairs.push(("aemet.key", "full"));
        let records = records_of(&pairs, body);
        let key = records.first().map(|record| text(&record.key.value));
        assert_eq!(key.as_deref(), Some(expected));
        shown(&records);
    }
}

#[test]
fn english_names_rename_and_nothing_else() {
    fn names(schema: &Schema, out: &mut Vec<String>) {
        let mut own: Vec<&str> = schema.fields.iter().map(|field| field.name.as_str()).collect();
        out.extend(own.iter().map(|name| (*name).to_owned()));
        own.sort_unstable();
        own.dedup();
        assert_eq!(own.len(), schema.fields.len(), "a name twice in {:?}", schema.name);
        for field in &schema.fields {
            names(&field.schema, out);
        }
        if let Some(element) = &schema.value {
            names(element, out);
        }
    }
    for product in Product::EACH {
        let mut both = Vec::new();
        for names_of in [Names::Original, Names::English] {
            Mapper::new(product, names_of, KeyForm::Full).expect("schemas");
            let setting = if names_of == Names::English {
                "english"
            } else {
                "original"
            };
            let (place, body) = match product {
                Product::Observation => (("aemet.stations", "9999X"), OBSERVATIONS),
                Product::DailyForecast => (("aemet.municipios", "01059"), DAILY),
                Product::HourlyForecast => (("aemet.municipios", "01059"), HOURLY),
                Product::DailyClimate => (("aemet.stations", "9999X"), CLIMATE),
            };
            let records = records_of(
                &[("aemet.product", product.as_str()), place, ("aemet.names", setting)],
                body,
            );
            let record = records.first().expect("a record");
            let mut found = Vec::new();
            names(&value(record).schema, &mut found);
            both.push((found, format!("{:?}", flat(&record.value.value))));
        }
        let [(original, values), (english, renamed)] = both.as_slice() else {
            panic!("two runs");
        };
        assert_eq!(values, renamed);
        assert_eq!(original.len(), english.len());
        let untranslated: Vec<&String> = original.iter().filter(|name| english.contains(name)).collect();
        assert!(
            untranslated.iter().all(|name| *name == "extra" || *name == "flags"),
            "{product:?}: {untranslated:?}"
        );
    }
}

/// A value without the names in it, but for those of flags, which are renamed along.
fn flat(value: &Value) -> Vec<String> {
    match value {
        Value::Struct(inner) => inner.fields.iter().flat_map(flat).collect(),
        Value::Array(items) => items.iter().flat_map(flat).collect(),
        Value::Map(pairs) => pairs.iter().flat_map(|(_, value)| flat(value)).collect(),
        other => vec![format!("{other:?}")],
    }
}

#[test]
fn bodies_are_read_in_any_charset() {
    let body = r#"[{"idema":"A","fint":"2026-11-20T15:00:00","ubi":"LA CAÑADA, BAHÍA 2 €","ta":1}]"#;
    let latin9 = Charset::Latin9.encode(body);
    assert!(latin9.contains(&0xA4) && latin9.contains(&0xD1) && latin9.contains(&0xCD));
    let with_mark = [b"\xef\xbb\xbf".as_slice(), body.as_bytes()].concat();
    for (bytes, content_type) in [
        (latin9.clone(), Some("application/json;charset=ISO-8859-15")),
        (latin9.clone(), Some("text/plain")),
        (latin9.clone(), Some("text/plain;charset=UTF-8")),
        (latin9, None),
        (body.as_bytes().to_vec(), Some("application/json;charset=ISO-8859-15")),
        (body.as_bytes().to_vec(), None),
        (with_mark, Some("text/html; charset=windows-1252")),
    ] {
        let headers: Vec<(String, String)> = content_type
            .iter()
            .map(|value| ("content-type".to_owned(), (*value).to_owned()))
            .collect();
        let (mut task, _) = started(&config(&[]), move |arrived, _| {
            if !is_data(arrived) {
                return envelope("http://127.0.0.1:9/opendata/sh/aa11");
            }
            Played {
                status: 200,
                headers: headers.clone(),
                pieces: vec![Piece::Bytes(bytes.clone())],
            }
        });
        let records = poll_until_records(&mut task, 5).expect("no failure");
        let name = records.first().map(|record| value(record).get("ubi").cloned());
        assert_eq!(name, Some(Ok(Value::from("LA CAÑADA, BAHÍA 2 €"))), "{content_type:?}");
    }
}

#[test]
fn hours_of_the_days_on_which_clocks_turn() {
    let hours = |town: &str, date: &str, periods: &[&str]| {
        let entries: Vec<String> = periods
            .iter()
            .enumerate()
            .map(|(at, period)| format!(r#"{{"value":"{at}","periodo":"{period}"}}"#))
            .collect();
        let body = format!(
            r#"[{{"elaborado":"{date}T00:30:00","id":{},"prediccion":{{"dia":[{{"temperatura":[{}],"fecha":"{date}T00:00:00"}}]}}}}]"#,
            town.trim_start_matches('0'),
            entries.join(",")
        );
        let pairs = [("aemet.product", "prediccion_horaria"), ("aemet.municipios", town)];
        let records = records_of(&pairs, &body);
        let record = records.first().expect("a record");
        let Ok(Value::Array(found)) = value(record).get("horas") else {
            panic!("no hours");
        };
        let starts: Vec<i64> = found
            .iter()
            .map(|hour| match hour {
                Value::Struct(hour) => match hour.fields.first() {
                    Some(Value::Int64(ms)) => *ms,
                    other => panic!("no time: {other:?}"),
                },
                other => panic!("no struct: {other:?}"),
            })
            .collect();
        let first = starts.first().copied().unwrap_or_default();
        let hours: Vec<i64> = starts.iter().map(|start| (start - first) / 3_600_000).collect();
        (record.timestamp.unwrap_or_default(), hours)
    };
    // 25 October 2026, 00:30 in Madrid is 22:30 UTC of the day before; the hour 2 comes twice.
    assert_eq!(
        hours("28065", "2026-10-25", &["01", "02", "02", "03"]),
        (1_792_881_000_000, vec![0, 1, 2, 3])
    );
    assert_eq!(
        hours("28065", "2026-10-25", &["01", "02", "03"]),
        (1_792_881_000_000, vec![0, 1, 3])
    );
    assert_eq!(
        hours("35016", "2026-10-25", &["00", "01", "01", "02"]),
        (1_792_884_600_000, vec![0, 1, 2, 3])
    );
    // 29 March 2026: after 1 comes 3.
    assert_eq!(
        hours("28065", "2026-03-29", &["01", "03", "04"]),
        (1_774_740_600_000, vec![0, 1, 2])
    );
    assert_eq!(
        hours("38038", "2026-03-29", &["00", "02", "03"]),
        (1_774_744_200_000, vec![0, 1, 2])
    );
}

#[test]
fn unchanged_rows_are_dropped_and_corrections_marked() {
    let first =
        r#"[{"idema":"A","fint":"2026-11-20T14:00:00","ta":1.0},{"idema":"A","fint":"2026-11-20T15:00:00","ta":2.0}]"#;
    // The same rows in another form, one corrected, and one that comes late.
    let second = r#"[{"ta":1,"fint":"2026-11-20T14:00:00+0000","idema":"A"},{"idema":"A","fint":"2026-11-20T15:00:00","ta":2.5},{"idema":"A","fint":"2026-11-20T13:00:00","ta":0.5}]"#;
    let config = config(&[("aemet.stations", "A")]);
    let mut count = 0;
    let (mut task, _) = started(&config, move |arrived, _| {
        if is_data(arrived) {
            count += 1;
            crate::support::played(200, if count == 1 { first } else { second })
        } else {
            envelope("http://127.0.0.1:9/opendata/sh/aa11")
        }
    });
    let records = poll_until_records(&mut task, 5).expect("no failure");
    assert_eq!(records.len(), 2);
    commit(&records);
    // Another task knows what the offset tells.
    let mut task = restarted(&config);
    let records = poll_all(&mut task, 30).expect("no failure");
    let seen: Vec<(Option<i64>, Option<String>)> = records
        .iter()
        .map(|record| (record.timestamp, header(record, "feed.revision")))
        .collect();
    assert_eq!(
        seen,
        [
            (Some(1_795_179_600_000), None),
            (Some(1_795_186_800_000), Some("true".to_owned())),
        ]
    );
    assert!(lines(Level::Warn).is_empty());
}

#[test]
fn all_rows_are_emitted_each_cycle_if_asked_for() {
    let config = config(&[("aemet.emit", "all"), ("poll.interval.ms", "60000")]);
    let (mut task, _) = started(&config, serving(OBSERVATIONS));
    let records = poll_all(&mut task, 12).expect("no failure");
    assert!(records.len() >= 9 && records.len() % 3 == 0, "{}", records.len());
    assert!(records.iter().all(|record| header(record, "feed.revision").is_none()));
}

#[test]
fn a_row_that_stands_twice_in_an_answer_is_the_last_one() {
    let body = r#"[{"idema":"A","fint":"2026-11-20T14:00:00","ta":1.0},{"idema":"A","fint":"2026-11-20T14:00:00+0000","ta":2.0}]"#;
    let (mut task, _) = started(&config(&[]), serving(body));
    let records = poll_all(&mut task, 60).expect("no failure");
    let found: Vec<Value> = records
        .iter()
        .filter_map(|record| value(record).get("ta").ok().cloned())
        .collect();
    assert_eq!(found, [Value::Float64(2.0)]);
}

#[test]
fn the_key_goes_with_the_first_step_only() {
    let (mut task, seen) = started(&config(&[]), serving(OBSERVATIONS));
    poll_until_records(&mut task, 5).expect("no failure");
    let seen = seen.borrow();
    for (arrived, _) in seen.iter() {
        let key = arrived
            .headers
            .iter()
            .find(|(name, _)| name == "api_key")
            .map(|(_, value)| value.as_str());
        assert_eq!(key, (!is_data(arrived)).then_some(KEY));
        assert_eq!(arrived.query, "");
    }
    assert_eq!(seen.len(), 2);
}
