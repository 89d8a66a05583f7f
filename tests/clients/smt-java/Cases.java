// The table: class | inputs (all of them for *) | settings. An input is a name of SmtTable.inputs() with flags after @:
// source, notime, part, headers, topic=x. "\_" is a blank that is kept.

final class Cases {
    private Cases() {}

    static final String LINES = """
Filter | full tombstone map |
HoistField$Value | full flat nullstruct tombstone string optstring defstring timestamp map text array | field=w
HoistField$Key | full flat map tombstone optstring | field=w
HoistField$Value | flat map | field=
HoistField$Value | flat |
InsertField$Value | full flat optstruct nullstruct tombstone string map emptymap text list datedmap nested timestamp | topic.field=t ; partition.field=p ; offset.field=o ; timestamp.field=ts2 ; static.field=st ; static.value=fixed
InsertField$Key | flat map tombstone string | topic.field=t! ; static.field=st? ; static.value=fixed
InsertField$Value | flat@source flat@source@part flat@source@notime map@source map@source@part map@source@notime | topic.field=t ; partition.field=p ; timestamp.field=ts2
InsertField$Value | flat@source flat@source@notime flat@notime map@source | partition.field=p! ; timestamp.field=ts2!
InsertField$Value | flat@source map@source flat map | offset.field=o!
InsertField$Value | full map | static.field=a ; static.value=new
InsertField$Value | flat map | static.field=a ; static.value=new
InsertField$Value | flat map | static.field=new
InsertField$Value | flat | static.field=new!
InsertField$Value | flat map string tombstone |
InsertField$Value | full | topic.field=t ; replace.null.with.default=false
InsertField$Value | flat map | topic.field=same ; static.field=same ; static.value=s
InsertField$Value | flat | topic.field=t ; replace.null.with.default=perhaps
ExtractField$Value | full flat optstruct nullstruct tombstone string map emptymap text timestamp array | field=a
ExtractField$Key | flat map tombstone nullstruct | field=a
ExtractField$Value | full | field=ds
ExtractField$Value | full | field=ds ; replace.null.with.default=false
ExtractField$Value | full | field=ri
ExtractField$Value | full | field=in
ExtractField$Value | full | field=oin
ExtractField$Value | full | field=ts
ExtractField$Value | full | field=dec
ExtractField$Value | full | field=arr
ExtractField$Value | full | field=map
ExtractField$Value | full | field=y
ExtractField$Value | full | field=os
ExtractField$Value | full map flat | field=nosuch
ExtractField$Value | full map plainmap flat nested nested2 | field=in.x
ExtractField$Value | full map plainmap flat nested nested2 tombstone string text | field=in.x ; field.syntax.version=V2
ExtractField$Value | nested nested2 | field=m.leaf.s ; field.syntax.version=V2
ExtractField$Value | nested nested2 | field=m.leaf.d ; field.syntax.version=v2
ExtractField$Value | nested nested2 | field=m.leaf.d ; field.syntax.version=V2 ; replace.null.with.default=false
ExtractField$Value | nested nested2 | field=ol.s ; field.syntax.version=V2
ExtractField$Value | nested nested2 | field=ol.ts ; field.syntax.version=V2
ExtractField$Value | nested full | field=b.x ; field.syntax.version=V2
ExtractField$Value | map plainmap | field=a.x ; field.syntax.version=V2
ExtractField$Value | map plainmap | field=in.deep.y ; field.syntax.version=V2
ExtractField$Value | flat map | field=`a.b` ; field.syntax.version=V2
ExtractField$Value | flat map | field=a.b ; field.syntax.version=V2
ExtractField$Value | flat map | field=`a.b ; field.syntax.version=V2
ExtractField$Value | flat map | field=a`b ; field.syntax.version=V2
ExtractField$Value | flat map | field=`a.b`.c ; field.syntax.version=V2
ExtractField$Value | flat map | field=a. ; field.syntax.version=V2
ExtractField$Value | flat map | field=a.b ; field.syntax.version=V3
ExtractField$Value | flat | field.syntax.version=V1
ReplaceField$Value | full flat optstruct nullstruct tombstone string map emptymap text datedmap | exclude=a,i32 ; renames=n:m,s:t
ReplaceField$Value | full map flat | include=a,n,ds,i64
ReplaceField$Value | full map flat | include=a,n ; exclude=a
ReplaceField$Value | full | include=ds,di,ri ; replace.null.with.default=false
ReplaceField$Value | flat map | renames=a:n,n:a
ReplaceField$Value | flat map | renames=n:a
ReplaceField$Value | flat map | exclude=a ; renames=n:a
ReplaceField$Value | flat map | renames=a:b:c
ReplaceField$Value | flat map | renames=a
ReplaceField$Value | flat map |
ReplaceField$Value | flat | exclude=a,a
ReplaceField$Value | flat | include=
ReplaceField$Key | flat map string tombstone | exclude=a
MaskField$Value | full | fields=i8,i16,i32,i64,f32,f64,b,s,date,time,ts,dec,os,ds,arr,map
MaskField$Value | full | fields=ds,di,oi ; replace.null.with.default=false
MaskField$Value | full | fields=in
MaskField$Value | full | fields=y
MaskField$Value | full | fields=oin
MaskField$Value | flat map emptymap tombstone nullstruct string text plainmap | fields=a,n
MaskField$Value | map datedmap | fields=f,b,nothing,arr,in,small,t,dec
MaskField$Value | map | fields=y
MaskField$Value | datedmap | fields=st
MaskField$Value | full | fields=s,num,os ; replacement=***
MaskField$Value | full | fields=i8,i16,i32,i64 ; replacement=12
MaskField$Value | full | fields=f32,f64,dec ; replacement=12.75
MaskField$Value | full | fields=i32 ; replacement=12.75
MaskField$Value | full | fields=i32 ; replacement=***
MaskField$Value | full | fields=i8 ; replacement=300
MaskField$Value | full | fields=b ; replacement=true
MaskField$Value | full | fields=ts ; replacement=1
MaskField$Value | full | fields=dec ; replacement=abc
MaskField$Value | full | fields=f64 ; replacement=abc
MaskField$Value | full | fields=i64 ; replacement=-5
MaskField$Value | full | fields=i64 ; replacement=1e3
MaskField$Value | map datedmap | fields=n,a,f,small,dec ; replacement=7
MaskField$Value | map | fields=arr ; replacement=7
MaskField$Value | flat | fields=nosuch
MaskField$Value | map | fields=nosuch
MaskField$Value | flat | fields=
MaskField$Value | flat | fields=a,a
MaskField$Value | flat | fields=a ; replacement=
MaskField$Key | flat map string tombstone | fields=a
ValueToKey | full flat optstruct nullstruct tombstone string map emptymap text datedmap | fields=a
ValueToKey | flat map | fields=n,a
ValueToKey | full | fields=ds,in,ts,ri
ValueToKey | full | fields=ds,di ; replace.null.with.default=false
ValueToKey | flat map | fields=a,nosuch
ValueToKey | flat map | fields=a,a
ValueToKey | flat | fields=
ValueToKey | flat |
SetSchemaMetadata$Value | full flat optstruct nullstruct tombstone string optstring map text array maps timestamp defstring decimal | schema.name=New
SetSchemaMetadata$Value | full flat string tombstone | schema.version=12
SetSchemaMetadata$Value | full | schema.name=New ; schema.version=-1 ; replace.null.with.default=false
SetSchemaMetadata$Key | flat map tombstone string | schema.name=New ; schema.version=2
SetSchemaMetadata$Value | flat |
SetSchemaMetadata$Value | flat string | schema.name=
SetSchemaMetadata$Value | flat | schema.version=abc
SetSchemaMetadata$Value | string long | schema.name=org.apache.kafka.connect.data.Timestamp
HeaderFrom$Value | full@headers flat optstruct nullstruct tombstone string map emptymap text | fields=a,n ; headers=ha,hn ; operation=copy
HeaderFrom$Value | full flat optstruct map emptymap | fields=a,n ; headers=ha,hn ; operation=move
HeaderFrom$Value | full@headers | fields=ts,ds,in,y,os ; headers=h1,h2,h3,h4,h5 ; operation=move
HeaderFrom$Value | full | fields=ds,arr,map,oin ; headers=h1,h2,h3,h4 ; operation=copy ; replace.null.with.default=false
HeaderFrom$Value | map@headers datedmap | fields=t,n,in,st ; headers=h1,h1,h3,h4 ; operation=move
HeaderFrom$Value | flat map | fields=a,a ; headers=x,y ; operation=move
HeaderFrom$Value | flat | fields=a,n ; headers=ha ; operation=move
HeaderFrom$Value | flat | fields= ; headers= ; operation=move
HeaderFrom$Value | flat | fields=a ; headers=b ; operation=steal
HeaderFrom$Value | flat | fields=a ; headers=b
HeaderFrom$Key | flat map tombstone string | fields=a ; headers=ha ; operation=move
DropHeaders | full@headers tombstone@headers map | headers=h1
DropHeaders | full@headers | headers=h2,none,other
DropHeaders | full@headers | headers=
DropHeaders | full@headers | headers=h1,h1
DropHeaders | full |
InsertHeader | full@headers tombstone map | header=h1 ; value.literal=one
InsertHeader | flat | header=h ; value.literal=1
InsertHeader | flat | header=h ; value.literal=300
InsertHeader | flat | header=h ; value.literal=70000
InsertHeader | flat | header=h ; value.literal=3000000000
InsertHeader | flat | header=h ; value.literal=1.5
InsertHeader | flat | header=h ; value.literal=true
InsertHeader | flat | header=h ; value.literal=null
InsertHeader | flat | header=h ; value.literal=
InsertHeader | flat | header=h ; value.literal=[1,2,3]
InsertHeader | flat | header=h ; value.literal=[1,"a"]
InsertHeader | flat | header=h ; value.literal=[]
InsertHeader | flat | header=h ; value.literal={}
InsertHeader | flat | header=h ; value.literal={"a":1}
InsertHeader | flat | header=h ; value.literal={"a":1,"b":"x"}
InsertHeader | flat | header=h ; value.literal="quoted"
InsertHeader | flat | header=h ; value.literal=2020-01-02
InsertHeader | flat | header=h ; value.literal=12:34:56.789Z
InsertHeader | flat | header=h ; value.literal=2020-01-02T03:04:05.678Z
InsertHeader | flat | header=h ; value.literal=99999999999999999999
InsertHeader | flat | header=h ; value.literal=1e400
InsertHeader | flat | header=h ; value.literal=a,b
InsertHeader | flat | header=h
InsertHeader | flat | value.literal=x
RegexRouter | full@topic=prefix-orders full@topic=orders tombstone@topic=prefix-x@source@part | regex=prefix-(.*) ; replacement=$1
RegexRouter | flat@topic=prefix-orders | regex=prefix- ; replacement=x
RegexRouter | flat@topic=abc flat@topic=a.b | regex=(.)(.)(.) ; replacement=$3-$2-$1$1
RegexRouter | flat@topic=abc | regex=a(?<mid>.)c ; replacement=x-${mid}
RegexRouter | flat@topic=abc | regex=a(?<mid>.)c ; replacement=${nosuch}
RegexRouter | flat@topic=abc | regex=(a)bc ; replacement=$2
RegexRouter | flat@topic=abc | regex=(a)bc ; replacement=$12
RegexRouter | flat@topic=abc | regex=(a)bc ; replacement=\\$1
RegexRouter | flat@topic=abc | regex=(a)bc ; replacement=x$
RegexRouter | flat@topic=abc | regex=(a)bc ; replacement=x\\
RegexRouter | flat@topic=abc | regex=.* ; replacement=all-$0
RegexRouter | flat@topic=abc flat@topic=ab | regex=(a)(b)(c)? ; replacement=$1$3x
RegexRouter | flat@topic=abc flat@topic=ABC | regex=(?i)abc ; replacement=ci
RegexRouter | flat@topic=abc flat@topic=a1c | regex=a[a-z&&[^x]]c ; replacement=class
RegexRouter | flat@topic=abc | regex=\\p{Lower}{3} ; replacement=low
RegexRouter | flat@topic=abc | regex=\\p{javaLowerCase}+ ; replacement=low
RegexRouter | flat@topic=abc flat@topic=a$c | regex=\\Qa$c\\E ; replacement=quoted
RegexRouter | flat@topic=a.b | regex=\\w+\\.\\w ; replacement=w
RegexRouter | flat@topic=abc | regex=abc|ab ; replacement=alt
RegexRouter | flat@topic=abc | regex=ab|abc ; replacement=alt
RegexRouter | flat@topic=a-b | regex=[a-c\\-[x]]+ ; replacement=union
RegexRouter | flat@topic=abc | regex=\\Aabc\\z ; replacement=anchors
RegexRouter | flat@topic=abc | regex=abc\\Z ; replacement=anchors
RegexRouter | flat@topic=abc | regex=\\x61\\u0062\\0143 ; replacement=codes
RegexRouter | flat@topic=abc | regex=\\p{IsAlphabetic}+\\h* ; replacement=uni
RegexRouter | flat@topic=abc | regex=(abc ; replacement=x
RegexRouter | flat@topic=abc | regex=[a ; replacement=x
RegexRouter | flat@topic=abc | regex=*a ; replacement=x
RegexRouter | flat@topic=abc | regex=abc
RegexRouter | flat@topic=abc | regex=a(?#x)c ; replacement=x
TimestampRouter | full flat@topic=x$1 tombstone map@source |
TimestampRouter | flat | topic.format=${timestamp}/${topic}/${topic}
TimestampRouter | flat | topic.format=fixed
TimestampRouter | flat | timestamp.format=yyyy-MM-dd HH:mm:ss.SSS zzz
TimestampRouter | flat | timestamp.format=yy.M.d E EEEE MMM MMMM a h K k D F w W u X XX XXX Z G
TimestampRouter | flat | timestamp.format='it''s' yyyy 'T' YYYY z zzzz
TimestampRouter | flat | timestamp.format=yyyyMMddTHH
TimestampRouter | flat | timestamp.format=yyyy'unclosed
TimestampRouter | flat | timestamp.format=
TimestampRouter | flat | timestamp.format=yyyyy MMMMM ddd LLLL
TimestampConverter$Value | full flat optstruct nullstruct tombstone string optstring long timestamp date time map emptymap text number int double javadate list bool decimal bytes | target.type=Timestamp ; format=yyyy-MM-dd HH:mm:ss
TimestampConverter$Value | long timestamp date time javadate number text string ts1 ts4 ts6 ts7 | target.type=string ; format=yyyy-MM-dd HH:mm:ss.SSS
TimestampConverter$Value | long timestamp date time javadate number ts1 ts4 | target.type=unix
TimestampConverter$Value | long timestamp number ts1 ts4 | target.type=unix ; unix.precision=seconds
TimestampConverter$Value | long timestamp number ts1 ts4 | target.type=unix ; unix.precision=microseconds
TimestampConverter$Value | long timestamp number ts1 ts4 | target.type=unix ; unix.precision=nanoseconds
TimestampConverter$Value | long number lng1 lng4 | target.type=Timestamp ; unix.precision=seconds
TimestampConverter$Value | long number lng1 lng4 | target.type=Timestamp ; unix.precision=microseconds
TimestampConverter$Value | long number lng1 | target.type=Timestamp ; unix.precision=nanoseconds
TimestampConverter$Value | long timestamp date time javadate ts1 ts4 ts6 ts7 | target.type=Date
TimestampConverter$Value | long timestamp date time javadate ts1 ts4 ts6 | target.type=Time
TimestampConverter$Value | full map plainmap flat emptymap | field=ts ; target.type=string ; format=yyyy-MM-dd'T'HH:mm:ss.SSSXXX
TimestampConverter$Value | full | field=date ; target.type=Timestamp
TimestampConverter$Value | full | field=time ; target.type=unix
TimestampConverter$Value | full | field=i64 ; target.type=Date
TimestampConverter$Value | full map | field=when ; target.type=Timestamp ; format=yyyy-MM-dd HH:mm:ss
TimestampConverter$Value | full map | field=when ; target.type=Timestamp
TimestampConverter$Value | full | field=b ; target.type=Timestamp
TimestampConverter$Value | full | field=os ; target.type=Timestamp ; format=yyyy
TimestampConverter$Value | full | field=os ; target.type=Timestamp ; format=yyyy ; replace.null.with.default=false
TimestampConverter$Value | full | field=ds ; target.type=Timestamp ; format=yyyy
TimestampConverter$Value | full | field=ds ; target.type=Timestamp ; format=yyyy ; replace.null.with.default=false
TimestampConverter$Value | datedmap map | field=t ; target.type=unix
TimestampConverter$Value | string text when0 when1 when2 when3 when4 when9 when10 when13 | target.type=Timestamp ; format=yyyy-MM-dd HH:mm:ss
TimestampConverter$Value | when5 when14 | target.type=Timestamp ; format=EEE, dd MMM yyyy HH:mm:ss z
TimestampConverter$Value | when6 when7 when8 when16 | target.type=Timestamp ; format=yyyy-MM-dd'T'HH:mm:ss.SSSX
TimestampConverter$Value | when6 when7 when8 | target.type=Timestamp ; format=yyyy-MM-dd'T'HH:mm:ss.SSSXXX
TimestampConverter$Value | when6 when7 when8 | target.type=Timestamp ; format=yyyy-MM-dd'T'HH:mm:ss.SSSZ
TimestampConverter$Value | when8 when16 | target.type=Timestamp ; format=yyyy-MM-dd'T'HH:mm:ss.SSS'Z'
TimestampConverter$Value | when9 | target.type=Time ; format=hh:mm a
TimestampConverter$Value | when11 | target.type=Date ; format=MM/dd/yy
TimestampConverter$Value | when12 | target.type=Date ; format=d MMMM yyyy
TimestampConverter$Value | when15 when0 | target.type=Date ; format=yyyyMMdd
TimestampConverter$Value | when15 | target.type=unix ; format=yyyyDDD
TimestampConverter$Value | timestamp | target.type=string ; format=G yy yyyyy M MM MMM MMMM d dd D F w W E EEEE u a H k K h m s S z Z X YYYY
TimestampConverter$Value | timestamp | target.type=string
TimestampConverter$Value | timestamp | target.type=string ; format=yyyyb
TimestampConverter$Value | timestamp | target.type=string ; format='open
TimestampConverter$Value | timestamp | target.type=Instant
TimestampConverter$Value | timestamp | target.type=unix ; unix.precision=minutes
TimestampConverter$Value | timestamp | field=a
TimestampConverter$Key | long flat string tombstone map | target.type=Timestamp
Cast$Value | cast0 cast1 cast2 cast3 cast4 cast5 cast6 cast7 cast8 cast9 cast10 cast11 dbl0 dbl1 dbl2 dbl3 dbl4 dbl5 dbl6 dbl7 dbl8 flt0 flt1 flt2 flt3 lng0 lng1 lng2 lng3 lng4 bool timestamp date time decimal bytes array maps flat tombstone optstring defstring text number int double javadate list map | spec=int8
Cast$Value | cast0 cast2 cast8 cast9 dbl1 dbl2 dbl3 lng2 lng3 bool decimal timestamp int double | spec=int16
Cast$Value | cast0 cast2 cast8 cast9 dbl1 dbl2 dbl3 dbl4 lng2 lng3 bool decimal timestamp int double date | spec=int32
Cast$Value | cast0 cast1 cast9 dbl1 dbl2 dbl3 dbl4 lng4 bool decimal timestamp time int double | spec=int64
Cast$Value | cast0 cast1 cast3 cast4 cast5 cast6 cast7 cast10 cast11 dbl0 dbl4 dbl6 dbl8 flt0 lng3 bool decimal timestamp int double | spec=float32
Cast$Value | cast0 cast1 cast3 cast4 cast5 cast6 cast7 cast10 cast11 dbl0 dbl4 flt0 flt1 lng4 bool decimal timestamp int double | spec=float64
Cast$Value | cast0 cast1 cast2 cast5 dbl0 dbl1 dbl3 dbl8 lng0 lng1 flt0 bool decimal timestamp int double bytes | spec=boolean
Cast$Value | cast0 dbl0 dbl1 dbl2 dbl3 dbl4 dbl5 dbl6 dbl7 dbl8 flt0 flt1 flt2 lng0 lng4 bool decimal timestamp date time ts0 ts1 ts5 ts6 ts7 bytes array maps flat optstring defstring text number int double javadate list map | spec=string
Cast$Value | full | spec=i8:string,i16:int8,i32:int8,i64:int32,f32:int8,f64:int64,b:int16,s:string,y:string,date:string,time:int64,ts:string,dec:string,num:int32
Cast$Value | full | spec=ds:string,os:boolean,ri:string,oi:float64
Cast$Value | full | spec=di:string,oi:int8 ; replace.null.with.default=false
Cast$Value | full | spec=di:string,oi:int8
Cast$Value | full | spec=ds:int32
Cast$Value | full | spec=in:string
Cast$Value | full | spec=arr:string
Cast$Value | full | spec=oin:string
Cast$Value | full | spec=y:int32
Cast$Value | full | spec=s:int32
Cast$Value | full flat optstruct nullstruct tombstone string map emptymap text | spec=n:string,nosuch:int32
Cast$Value | map | spec=a:boolean,n:int8,f:int32,b:string,nothing:int8,num:int64,small:float64,y:string
Cast$Value | map | spec=arr:string
Cast$Value | map | spec=in:string
Cast$Value | datedmap | spec=t:string
Cast$Value | datedmap | spec=dec:string
Cast$Value | datedmap | spec=st:string
Cast$Key | long string flat map tombstone | spec=string
Cast$Value | flat | spec=
Cast$Value | flat |
Cast$Value | flat | spec=int8,int16
Cast$Value | flat | spec=a:int128
Cast$Value | flat | spec=a:bytes
Cast$Value | flat | spec=a:INT32
Cast$Value | flat | spec=a:int8:int16
Cast$Value | flat | spec=int8,a:int8
Cast$Value | flat | spec=a:int8,a:int16
Flatten$Value | full flat optstruct nullstruct tombstone string map plainmap emptymap datedmap text nested nested2 nestedarr structmap structdefault clash list |
Flatten$Value | nested nested2 map plainmap clash structdefault | delimiter=_
Flatten$Value | nested plainmap | delimiter=
Flatten$Key | nested2 map flat string tombstone |
predicates.TopicNameMatches | full@topic=orders full@topic=my-orders tombstone@topic=orders@source | pattern=orders
predicates.TopicNameMatches | full@topic=my-orders full@topic=ORDERS | pattern=(?i).*orders
predicates.TopicNameMatches | full | pattern=
predicates.TopicNameMatches | full | pattern=(
predicates.TopicNameMatches | full |
predicates.HasHeaderKey | full@headers full tombstone@headers | name=h1
predicates.HasHeaderKey | full@headers | name=none
predicates.HasHeaderKey | full@headers | name=H1
predicates.HasHeaderKey | full | name=
predicates.HasHeaderKey | full |
predicates.RecordIsTombstone | full tombstone nullstruct optstring map defstring |
""";
}
