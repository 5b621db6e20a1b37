"""An app in Python that keeps its own record of pictures in easel's tables.

    first.py DATABASE keep SERVICE    calls the service by itself, after a line on stdin
    first.py DATABASE hand            leaves the drawing to easel
    first.py DATABASE read ID         prints what became of a row
    first.py DATABASE delete ID       deletes a row by the ORM

It knows the columns of its own document and none of easel's.
"""
import json
import sys
import urllib.request
from datetime import datetime

from sqlalchemy import BigInteger, Boolean, Column, DateTime, ForeignKey, Integer, String, Text, create_engine
from sqlalchemy.orm import declarative_base, relationship, sessionmaker

Base = declarative_base()
Key = BigInteger().with_variant(Integer, "sqlite")


class ImageGeneration(Base):
    __tablename__ = "image_generations"
    id = Column(Key, primary_key=True, autoincrement=True)
    user_id = Column(BigInteger)
    provider = Column(String(50), nullable=False, default="volcengine")
    model = Column(String(100), default="doubao-seedream-4-0-250828")
    prompt = Column(Text, nullable=False)
    size = Column(String(20), default="2K")
    watermark = Column(Boolean, default=True)
    status = Column(String(20), nullable=False, default="pending")
    error_msg = Column(Text)
    created_at = Column(DateTime, default=datetime.utcnow)
    updated_at = Column(DateTime, default=datetime.utcnow, onupdate=datetime.utcnow)
    completed_at = Column(DateTime)
    parameters = relationship("GenerationParameter", back_populates="task", cascade="all, delete-orphan")
    results = relationship("GenerationResult", back_populates="task", cascade="all, delete-orphan", order_by="GenerationResult.id")


class GenerationParameter(Base):
    __tablename__ = "generation_parameter"
    id = Column(Key, primary_key=True, autoincrement=True)
    task_id = Column(BigInteger, ForeignKey("image_generations.id", ondelete="CASCADE"), nullable=False)
    parameter_name = Column(String(100), nullable=False)
    parameter_value = Column(Text)
    created_at = Column(DateTime, default=datetime.utcnow)
    task = relationship("ImageGeneration", back_populates="parameters")


class GenerationResult(Base):
    __tablename__ = "generation_result"
    id = Column(Key, primary_key=True, autoincrement=True)
    task_id = Column(BigInteger, ForeignKey("image_generations.id", ondelete="CASCADE"), nullable=False)
    generated_image_id = Column(BigInteger)
    generated_image_url = Column(Text, nullable=False)
    created_at = Column(DateTime, default=datetime.utcnow)
    task = relationship("ImageGeneration", back_populates="results")


def asked(status):
    return ImageGeneration(
        user_id=1, prompt="星际穿越，黑洞，黑洞里冲出一辆快支离破碎的复古列车", status=status,
        parameters=[
            GenerationParameter(parameter_name="sequential_image_generation", parameter_value="disabled"),
            GenerationParameter(parameter_name="response_format", parameter_value="url"),
        ])


def keep(session, service):
    task = asked("processing")
    session.add(task)
    session.commit()
    print(task.id, flush=True)
    sys.stdin.readline()
    body = {"model": task.model, "prompt": task.prompt, "size": task.size, "watermark": task.watermark, "stream": False}
    body.update({p.parameter_name: p.parameter_value for p in task.parameters})
    request = urllib.request.Request(service + "/images/generations", json.dumps(body).encode(),
                                     {"Content-Type": "application/json", "Authorization": "Bearer sk-test"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        drawn = json.load(answer)
    task.status = "completed"
    task.completed_at = datetime.utcnow()
    for item in drawn["data"]:
        session.add(GenerationResult(task_id=task.id, generated_image_url=item["url"]))
    session.commit()


def hand(session):
    task = asked("pending")
    session.add(task)
    session.commit()
    print(task.id, flush=True)


def read(session, id):
    task = session.get(ImageGeneration, id)
    print(json.dumps({
        "status": task.status, "error_msg": task.error_msg, "created": isinstance(task.created_at, datetime),
        "completed": isinstance(task.completed_at, datetime), "results": [r.generated_image_url for r in task.results]}))


def delete(session, id):
    session.delete(session.get(ImageGeneration, id))
    session.commit()


def main(database, act, *rest):
    with sessionmaker(bind=create_engine(database))() as session:
        if act == "keep":
            keep(session, *rest)
        elif act == "hand":
            hand(session)
        elif act == "read":
            read(session, int(rest[0]))
        elif act == "delete":
            delete(session, int(rest[0]))


if __name__ == "__main__":
    main(*sys.argv[1:])
