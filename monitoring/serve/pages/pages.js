// Drop-downs that submit themselves, and completion of queries.

for(const e of document.querySelectorAll("form.auto select"))e.onchange=()=>e.form.requestSubmit();

// A combobox of the ARIA pattern. The caret's context decides what it offers: metrics, tags, values or functions.
// Arrow keys move, Enter and Tab accept the marked offer, Escape closes. Offers are inserted as text, never as HTML.
const box=document.querySelector("input[data-known]");
if(box){
const known=JSON.parse(box.dataset.known),list=document.getElementById("offers"),MOST=12;
let offers=[],at=-1,from=0;
box.removeAttribute("list");
const is={role:"combobox","aria-autocomplete":"list","aria-controls":"offers","aria-expanded":"false"};
for(const [key,value] of Object.entries(is))box.setAttribute(key,value);
const call=name=>({shown:name+"()",text:name+"()",back:1});
const keysOf=before=>{
  const name=before.match(/([\w.\-]+)\s*(?:\{[^{}]*\}[^{}]*)?$/);
  return (name&&known.metrics[name[1]]||{}).keys||Object.keys(known.tags);
};
function context(text){
  const open=text.match(/\{([^{}]*)$/);
  if(open){
    const before=text.slice(0,open.index),by=/\bby\s*$/.test(before);
    const word=open[1].match(/[^\s,!()]*$/)[0],colon=word.indexOf(":");
    const keys=keysOf(before.replace(/\s*\bby\s*$/,""));
    if(!by&&colon>0)return [word.slice(colon+1),(known.tags[word.slice(0,colon)]||[]).map(v=>({text:v}))];
    return [word,by?keys.map(k=>({text:k})):[{text:"*"},...keys.map(k=>({shown:k,text:k+":"}))]];
  }
  let found=text.match(/[})]\.(\w*)$/);
  if(found)return [found[1],known.modifiers.map(call).map(m=>m.text=="as_count()"||m.text=="as_rate()"
    ?{...m,back:0}:m)];
  found=text.match(/\}\s+(\w*)$/);
  if(found)return [found[1],[{shown:"by {…}",text:"by {}",back:1}]];
  found=text.match(/([a-z]\w*):([\w.\-]*)$/);
  if(found)return [found[2],Object.keys(known.metrics).map(m=>({shown:m,text:m+"{}",back:1}))];
  const word=text.match(/[\w.\-]*$/)[0];
  if(!word&&/[})]\s*$/.test(text))return ["",[]];
  return [word,[...Object.entries(known.metrics).map(([m,one])=>({shown:m,text:one.query,back:0})),
    ...known.aggregators.map(a=>({text:a+":"})),...known.functions.map(call)]];
}
function close(){offers=[];at=-1;show()}
function show(){
  list.replaceChildren(...offers.map((one,i)=>{
    const row=document.createElement("li");
    row.id="offer"+i;row.setAttribute("role","option");row.setAttribute("aria-selected",String(i==at));
    row.textContent=one.shown||one.text;
    row.onmousedown=e=>{e.preventDefault();take(i)};
    return row;
  }));
  list.hidden=!offers.length;box.setAttribute("aria-expanded",String(offers.length>0));
  if(at<0)box.removeAttribute("aria-activedescendant");
  else{box.setAttribute("aria-activedescendant","offer"+at);list.children[at].scrollIntoView({block:"nearest"})}
}
function offer(){
  const caret=box.selectionStart,[word,all]=context(box.value.slice(0,caret)),low=word.toLowerCase();
  const rank=one=>(one.shown||one.text).toLowerCase().indexOf(low);
  from=caret-word.length;at=-1;
  offers=all.filter(one=>rank(one)>=0&&one.text!=word).sort((a,b)=>(rank(a)>0)-(rank(b)>0)).slice(0,MOST);
  show();
}
function take(index){
  const one=offers[index],caret=box.selectionStart,after=box.value.slice(caret);
  let text=one.text,back=one.back||0;
  if(text.endsWith("{}")&&after.startsWith("{")){text=text.slice(0,-2);back=0}
  if(text.endsWith("()")&&after.startsWith("(")){text=text.slice(0,-2);back=0}
  box.value=box.value.slice(0,from)+text+after;
  const place=from+text.length-back;box.setSelectionRange(place,place);
  if(back||text.endsWith(":"))offer();else close();
}
const moves={ArrowDown:1,ArrowUp:-1};
box.addEventListener("input",offer);
box.addEventListener("blur",close);
box.addEventListener("keydown",e=>{
  const caret=box.selectionStart;
  if(e.key in moves){
    e.preventDefault();
    if(!offers.length)offer();
    if(offers.length)at=at<0&&moves[e.key]<0?offers.length-1:(at+moves[e.key]+offers.length)%offers.length;
    show();
  }else if((e.key=="Enter"||e.key=="Tab")&&at>=0){e.preventDefault();take(at)}
  else if(e.key=="Escape"&&offers.length){e.preventDefault();close()}
  else if((e.key=="}"||e.key==")")&&box.value[caret]==e.key&&caret==box.selectionEnd){
    e.preventDefault();box.setSelectionRange(caret+1,caret+1);close();
  }
});
}
