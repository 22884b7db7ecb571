// What arrives appears by itself; times in the reader's zone; a time range of one's own.

// A page that is left closes its stream: a browser opens at most six connections to a host.
const live=new EventSource("/live");
addEventListener("pagehide",()=>live.close());
live.onmessage=()=>location.reload();

// New data replace the page's content, unless somebody is in the middle of something: then a button offers it.
const news=document.getElementById("arrived"),switchOn=document.getElementById("live");
const busy=()=>document.querySelector("main details[open],.full")||cross!==null||
  document.querySelector("main").contains(document.activeElement)||!getSelection().isCollapsed;
let asking=false,again=0;
async function renew(){
  if(asking)return;
  asking=true;
  try{
    const answer=await fetch(location.href,{headers:{Accept:"text/html"}});
    const page=new DOMParser().parseFromString(await answer.text(),"text/html"),main=page.querySelector("main");
    if(answer.ok&&main){
      document.querySelector("main").replaceWith(document.adoptNode(main));
      news.hidden=true;beginCharts();zoned();
    }
  }catch(error){console.info("not renewed",error)}
  asking=false;again=Date.now();
}
// A renewal waits as long as the page takes to make, so that a slow page does not load its server.
live.addEventListener("arrived",()=>{
  if(!switchOn||switchOn.getAttribute("aria-pressed")!=="true"||document.hidden||Date.now()-again<4000)return;
  if(busy())news.hidden=false;else renew();
});
if(news)news.onclick=()=>{document.activeElement.blur();move(null);renew()};
if(switchOn){
  const on=localStorage.getItem("live")!=="off";
  switchOn.setAttribute("aria-pressed",String(on));
  switchOn.onclick=()=>{
    const now=switchOn.getAttribute("aria-pressed")!=="true";
    switchOn.setAttribute("aria-pressed",String(now));localStorage.setItem("live",now?"on":"off");
    if(now)renew();
  };
}

// Times are written in UTC by the server; `data-t` has the seconds. Each part that is there is written anew.
const MONTHS="Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");
function rewritten(words,seconds){
  const d=new Date(seconds*1000);
  return words.replace(/\d{4}-\d\d-\d\d/,`${d.getFullYear()}-${two(d.getMonth()+1)}-${two(d.getDate())}`)
    .replace(/\b[A-Z][a-z]{2} (\d\d?)\b/,(_,day)=>`${MONTHS[d.getMonth()]} ${day.length>1?two(d.getDate()):d.getDate()}`)
    .replace(/\b\d\d:\d\d(?=\D|$)/,`${two(d.getHours())}:${two(d.getMinutes())}`).replace(/ UTC$/,"");
}
function zoned(){
  for(const one of document.querySelectorAll("[data-t]")){
    one.dataset.utc??=one.textContent;
    one.textContent=local()?rewritten(one.dataset.utc,Number(one.dataset.t)):one.dataset.utc;
  }
  const zone=document.getElementById("zone");
  if(zone)zone.setAttribute("aria-pressed",String(local()));
  for(const field of document.querySelectorAll("form.custom input[data-t]"))field.value=clock(Number(field.dataset.t)).slice(0,16).replace(" ","T");
  for(const label of document.querySelectorAll("form.custom .zone"))label.textContent=local()?"local time":"UTC";
}
const zone=document.getElementById("zone");
if(zone)zone.onclick=()=>{localStorage.setItem("zone",local()?"utc":"local");zoned()};
zoned();

// A range of one's own is sent in seconds, so that the zone does not matter; it has to end after its start.
for(const form of document.querySelectorAll("form.custom")){
  const [first,last]=form.querySelectorAll("input[data-t]");
  const seconds=field=>Date.parse(field.value+(local()?"":"Z"))/1000;
  const check=()=>last.setCustomValidity(seconds(last)>seconds(first)?"":"The end has to be after the start.");
  first.oninput=last.oninput=check;
  form.onsubmit=event=>{
    event.preventDefault();check();
    if(!form.reportValidity())return;
    const query=new URLSearchParams(location.search);
    for(const name of ["to","from_ts","to_ts"])query.delete(name);
    query.set("from",`${seconds(first)}..${seconds(last)}`);location.search=query;
  };
}

// A graph that is larger than its window begins at the state that failed or runs, else at the first one.
function centred(){
  for(const graph of document.querySelectorAll(".panel.graph")){
    const state=graph.querySelector("g.state.failed,g.state.running")||graph.querySelector("g.state");
    if(!state)continue;
    const box=state.getBoundingClientRect(),room=graph.getBoundingClientRect();
    graph.scrollLeft+=box.left+box.width/2-room.left-room.width/2;
    if(state.matches(".failed,.running"))graph.scrollTop+=box.top+box.height/2-room.top-room.height/2;
  }
}
centred();
addEventListener("resize",centred);
